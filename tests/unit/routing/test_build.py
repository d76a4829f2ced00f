from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.errors import ConfigError
from bridge.routing.build import RouteSpec, build, find_problems
from bridge.routing.matchers import Matcher, format_matchers
from bridge.routing.route import HookCall

FULL = RouteSpec(
    receiver="root",
    group_by=("alertname",),
    hooks=(HookCall("dedupe"), HookCall("enrich")),
    group_wait=timedelta(seconds=1),
    group_interval=timedelta(seconds=2),
    repeat_interval=timedelta(seconds=3),
    where="main.yml:1:1",
)


def only_child(parent: RouteSpec, child: RouteSpec):
    return build(replace(parent, routes=(child,))).routes[0]


def test_receiver_grouping_timing_and_hooks_come_from_the_parent():
    child = only_child(FULL, RouteSpec(matchers=("a=b",)))
    assert child.receiver == "root"
    assert child.group_by == ("alertname",)
    assert [hook.name for hook in child.hooks] == ["dedupe", "enrich"]
    timing = (child.group_wait, child.group_interval, child.repeat_interval)
    assert timing == (FULL.group_wait, FULL.group_interval, FULL.repeat_interval)


def test_what_a_child_sets_wins_down_its_own_branch_only():
    own = RouteSpec(
        receiver="own",
        group_by=("pod",),
        hooks=(),
        group_wait=timedelta(),
        routes=(RouteSpec(matchers=("a=b",)),),
    )
    route = build(replace(FULL, routes=(own, RouteSpec())))
    grandchild, sibling = route.routes[0].routes[0], route.routes[1]
    assert (grandchild.receiver, grandchild.group_by, grandchild.hooks) == ("own", ("pod",), ())
    assert grandchild.group_wait == timedelta()
    assert grandchild.group_interval == FULL.group_interval
    assert (sibling.receiver, sibling.group_by) == ("root", ("alertname",))


def test_matchers_continue_and_time_intervals_are_not_inherited():
    parent = RouteSpec(
        matchers=("a=b",),
        continues=True,
        mute_time_intervals=("night",),
        active_time_intervals=("day",),
        routes=(RouteSpec(),),
    )
    muted = only_child(FULL, parent)
    assert (muted.mute_time_intervals, muted.active_time_intervals, muted.continues) == (("night",), ("day",), True)
    child = muted.routes[0]
    assert (child.matchers, child.continues) == ((), False)
    assert (child.mute_time_intervals, child.active_time_intervals) == ((), ())


def test_timing_and_grouping_that_nobody_sets_stay_open():
    route = build(RouteSpec(receiver="root"))
    assert (route.group_by, route.group_by_all) == (None, False)
    assert (route.group_wait, route.group_interval, route.repeat_interval) == (None, None, None)


def test_a_root_without_hooks_has_dedupe_and_an_empty_list_has_none():
    assert [hook.name for hook in build(RouteSpec(receiver="root")).hooks] == ["dedupe"]
    assert build(RouteSpec(receiver="root", hooks=())).hooks == ()


def test_three_dots_are_inherited_and_a_list_of_labels_ends_them():
    parent = RouteSpec(receiver="root", group_by=("...",))
    assert only_child(parent, RouteSpec()).group_by_all
    child = only_child(parent, RouteSpec(group_by=("pod",)))
    assert (child.group_by_all, child.group_by) == (False, ("pod",))


def test_an_empty_group_by_overrides_the_parents():
    assert only_child(FULL, RouteSpec(group_by=())).group_by == ()


def test_all_forms_of_matchers_are_joined_and_ordered():
    child = only_child(FULL, RouteSpec(matchers=('z="1", b!~c', "{a=x}"), match={"m": "2"}, match_re={"c": "d|e"}))
    assert format_matchers(child.matchers) == '{a="x",b!~"c",c=~"^(?:d|e)$",m="2",z="1"}'
    assert child.matchers[0] == Matcher("a", "=", "x")


def test_an_id_is_the_name_or_the_path_of_receivers():
    route = build(
        RouteSpec(
            receiver="root",
            routes=(
                RouteSpec(name="payments", receiver="pay", routes=(RouteSpec(receiver="page"), RouteSpec())),
                RouteSpec(receiver="web"),
            ),
        )
    )
    assert route.id == "root"
    assert [child.id for child in route.routes] == ["payments", "root/web"]
    assert [child.id for child in route.routes[0].routes] == ["root/pay/page", "root/pay/pay"]


def test_equal_paths_are_told_apart_by_an_ordinal():
    twins = (RouteSpec(receiver="a"), RouteSpec(receiver="a"), RouteSpec(receiver="a"))
    assert [child.id for child in build(RouteSpec(receiver="r", routes=twins)).routes] == ["r/a", "r/a#2", "r/a#3"]


def test_ids_stay_unique_whatever_names_look_like():
    routes = (
        RouteSpec(receiver="a"),
        RouteSpec(receiver="a"),
        RouteSpec(receiver="a#2"),
        RouteSpec(name="r/a", receiver="b"),
        RouteSpec(receiver="a", routes=(RouteSpec(receiver="b"),)),
        RouteSpec(receiver="a/b"),
    )
    route = build(RouteSpec(receiver="r", routes=routes))
    ids = [child.id for child in route.routes] + [route.routes[4].routes[0].id]
    assert len(set(ids)) == len(ids)
    assert ids[3] == "r/a"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (RouteSpec(), "the root route needs a receiver"),
        (RouteSpec(receiver="r", matchers=("a=b",)), "cannot have matchers"),
        (RouteSpec(receiver="r", match={"a": "b"}), "cannot have matchers"),
        (RouteSpec(receiver="r", match_re={"a": "b"}), "cannot have matchers"),
        (RouteSpec(receiver="r", continues=True), "cannot have continue"),
        (RouteSpec(receiver="r", mute_time_intervals=("x",)), "cannot have time intervals"),
        (RouteSpec(receiver="r", active_time_intervals=("x",)), "cannot have time intervals"),
        (RouteSpec(receiver="r", group_by=("...", "a")), "must stand alone"),
        (RouteSpec(receiver="r", group_by=("a", "b", "a")), "'a' stands there twice"),
        (RouteSpec(receiver="r", group_by=("",)), "cannot be empty"),
        (RouteSpec(receiver="r", repeat_interval=timedelta()), "repeat_interval must be longer than 0s"),
        (RouteSpec(receiver="r", routes=(RouteSpec(matchers=("a",)),)), "matchers: bad matcher format: a"),
        (RouteSpec(receiver="r", routes=(RouteSpec(matchers=("a=~(",)),)), "matchers: bad regular expression"),
        (RouteSpec(receiver="r", routes=(RouteSpec(match_re={"a": "["}),)), "match_re: a: bad regular expression"),
        (RouteSpec(receiver="r", name="x", routes=(RouteSpec(name="x"),)), "the route name 'x' is already taken"),
    ],
)
def test_a_route_that_cannot_be_is_refused(spec, message):
    problems = find_problems(spec)
    assert len(problems) == 1
    assert message in problems[0].message
    with pytest.raises(ConfigError, match=r"route|matchers|match_re|group_by|repeat_interval"):
        build(spec)


def test_a_group_interval_of_zero_is_valid():
    assert build(RouteSpec(receiver="r", group_interval=timedelta())).group_interval == timedelta()


def test_every_problem_is_reported_at_its_place():
    spec = RouteSpec(
        receiver="r",
        routes=(
            RouteSpec(name="n", where="a.yml:3:5"),
            RouteSpec(name="n", matchers=("b", "c"), where="b.yml:4:5"),
        ),
    )
    with pytest.raises(ConfigError) as caught:
        build(spec)
    assert str(caught.value).splitlines() == [
        "b.yml:4:5: matchers: bad matcher format: b",
        "b.yml:4:5: matchers: bad matcher format: c",
        "b.yml:4:5: the route name 'n' is already taken by a.yml:3:5",
    ]
