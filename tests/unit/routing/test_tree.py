from __future__ import annotations

import gc

from bridge.routing.build import RouteSpec, build
from bridge.routing.route import Route
from bridge.routing.tree import _known, find, forget, group_labels


def child(receiver: str, *matchers: str, continues: bool = False, routes: tuple[RouteSpec, ...] = ()) -> RouteSpec:
    return RouteSpec(receiver=receiver, matchers=matchers, continues=continues, routes=routes)


def tree(*routes: RouteSpec) -> Route:
    return build(RouteSpec(receiver="root", routes=routes))


def receivers(route: Route, **labels: str) -> list[str]:
    return [found.receiver for found in find(route, labels)]


def test_a_node_whose_children_all_refuse_takes_the_alert_itself():
    route = tree(child("team", "team=a", routes=(child("page", "severity=critical"),)))
    assert receivers(route) == ["root"]
    assert receivers(route, team="a") == ["team"]
    assert receivers(route, team="a", severity="critical") == ["page"]


def test_the_first_matching_child_ends_the_search():
    route = tree(child("one", "a=1"), child("two", "a=1"))
    assert receivers(route, a="1") == ["one"]


def test_a_child_that_refuses_leaves_the_alert_to_its_siblings():
    route = tree(child("one", "a=1"), child("two", "a=2"), child("three", "a=~1|3"))
    assert receivers(route, a="2") == ["two"]
    assert receivers(route, a="3") == ["three"]


def test_continue_goes_on_with_the_siblings():
    route = tree(child("one", "a=1", continues=True), child("two", "b=1", continues=True), child("three", "a=1"))
    assert receivers(route, a="1") == ["one", "three"]
    assert receivers(route, a="1", b="1") == ["one", "two", "three"]


def test_continue_of_a_child_that_refuses_changes_nothing():
    route = tree(child("one", "a=1", continues=True), child("two", "a=2"))
    assert receivers(route, a="2") == ["two"]


def test_continue_deep_down_does_not_leave_its_parent():
    route = tree(
        child("one", "a=1", routes=(child("deep", "b=1", continues=True), child("deeper", "b=1", continues=True))),
        child("two", "a=1"),
    )
    assert receivers(route, a="1", b="1") == ["deep", "deeper"]


def test_a_receiver_may_be_found_twice():
    route = tree(child("one", "a=1", continues=True), child("one", "a=1"))
    assert receivers(route, a="1") == ["one", "one"]


def test_a_child_without_matchers_takes_all():
    assert receivers(tree(child("all"), child("never", "a=1")), a="1") == ["all"]


def test_the_answer_depends_only_on_labels_that_the_tree_asks_about():
    route = tree(child("one", "a=1"))
    assert receivers(route, a="1", pod="x") == receivers(route, a="1", pod="y") == ["one"]
    assert receivers(route, pod="x") == ["root"]
    assert receivers(route, a="2") == ["root"]


def test_what_was_found_in_one_tree_is_not_remembered_for_another():
    gc.collect()
    gc.freeze()  # what the other tests left behind need not be looked at fifty times
    try:
        for number in range(50):  # trees come and go, and their ids with them
            route = tree(child(f"receiver-{number}", "a=1"))
            assert receivers(route, a="1") == [f"receiver-{number}"]
            del route
            gc.collect()
    finally:
        gc.unfreeze()


def test_more_label_sets_than_are_remembered_are_still_routed_right():
    route = tree(child("odd", "a=~.*[13579]"))
    for number in range(9000):
        assert receivers(route, a=str(number)) == ["odd" if number % 2 else "root"]
    assert receivers(route, a="1") == ["odd"]
    assert len(_known[id(route)].memory.answers) <= 8192


def test_labels_too_long_to_remember_are_routed_right():
    route = tree(child("one", "a=~x+"))
    assert receivers(route, a="x" * 5000) == ["one"]
    assert receivers(route, a="x" * 5000 + "y") == ["root"]
    assert not _known[id(route)].memory.answers


def test_what_is_forgotten_is_found_again() -> None:
    route = tree(child("one", "a=1"))
    forget(route)
    assert receivers(route, a="1") == ["one"]
    assert _known[id(route)].memory.answers
    forget(route)
    assert not _known[id(route)].memory.answers
    assert receivers(route, a="1") == ["one"]


def test_a_root_that_refuses_gives_nothing():
    below = tree(child("one", "a=1")).routes[0]
    assert find(below, {"a": "2"}) == ()


def test_group_labels_are_those_that_the_alert_has():
    route = build(RouteSpec(receiver="root", group_by=("alertname", "cluster", "zone")))
    labels = {"alertname": "X", "cluster": "", "pod": "p"}
    assert group_labels(route, labels, {"sent": "grouping"}) == {"alertname": "X"}


def test_three_dots_group_by_all_labels():
    route = build(RouteSpec(receiver="root", group_by=("...",)))
    assert group_labels(route, {"alertname": "X", "pod": "p"}, {}) == {"alertname": "X", "pod": "p"}


def test_an_empty_group_by_puts_everything_in_one_group():
    route = build(RouteSpec(receiver="root", group_by=()))
    assert group_labels(route, {"alertname": "X"}, {"alertname": "X"}) == {}


def test_where_nothing_groups_the_senders_grouping_holds():
    route = build(RouteSpec(receiver="root"))
    assert group_labels(route, {"alertname": "X", "pod": "p"}, {"alertname": "X"}) == {"alertname": "X"}
