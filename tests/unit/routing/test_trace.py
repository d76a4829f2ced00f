"""The traced walk finds what the quick one finds, and says why the other routes did not take it."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bridge.routing.build import RouteSpec, build
from bridge.routing.route import Route
from bridge.routing.trace import Visit, taken, trace
from bridge.routing.tree import find

NAMES = ("a", "b", "c")
VALUES = ("", "1", "2")
MATCHERS = [f'{name}{operator}"{value}"' for name in NAMES for operator in ("=", "!=", "=~") for value in VALUES]
LABELS = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES[1:]))


def specs(depth: int) -> st.SearchStrategy[RouteSpec]:
    below = st.just(()) if depth == 0 else st.lists(st.deferred(lambda: specs(depth - 1)), max_size=4).map(tuple)
    matchers = st.lists(st.sampled_from(MATCHERS), min_size=1, max_size=2).map(tuple)
    return st.builds(
        lambda m, c, r: RouteSpec(receiver="x", matchers=m, continues=c, routes=r), matchers, st.booleans(), below
    )


TREES = st.lists(specs(2), max_size=12).map(lambda routes: build(RouteSpec(receiver="root", routes=tuple(routes))))


def visits(visit: Visit) -> list[Visit]:
    return [visit, *(found for below in visit.below for found in visits(below))]


def matches(route: Route, labels: Mapping[str, str]) -> bool:
    return all(matcher.matches(labels) for matcher in route.matchers)


@given(TREES, LABELS)
def test_the_routes_that_took_the_alert_are_those_that_are_found(tree: Route, labels: dict[str, str]) -> None:
    assert taken(trace(tree, labels)) == find(tree, labels)


@given(TREES, LABELS)
def test_whatever_is_said_of_a_route_is_true(tree: Route, labels: dict[str, str]) -> None:
    for visit in visits(trace(tree, labels)):
        route = visit.route
        assert visit.matched == (matches(route, labels) and visit.outcome != "not_reached")
        if visit.outcome == "refused":
            assert visit.refused_by is not None
            assert visit.refused_by == next(matcher for matcher in route.matchers if not matcher.matches(labels))
        else:
            assert visit.refused_by is None
        if visit.matched:
            assert [below.route for below in visit.below] == list(route.routes)
            assert (visit.outcome == "passed_on") == any(below.matched for below in visit.below)
            _check_the_end(visit)
        else:
            assert visit.below == ()


def _check_the_end(visit: Visit) -> None:
    """Nobody is asked behind the first that took it and does not continue."""
    ended = ""
    for below in visit.below:
        assert (below.outcome == "not_reached") == bool(ended)
        assert below.ended_by == ended
        if below.matched and not below.route.continues:
            ended = below.route.id
