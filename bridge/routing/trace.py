"""The walk through a route tree in words: which routes took an alert, and why the others did not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from bridge.routing.matchers import Matcher
from bridge.routing.route import Route

Outcome = Literal["taken", "passed_on", "refused", "not_reached"]


class Visit(Struct, frozen=True):
    """What one route did. `taken`: it has the alert; `passed_on`: one of its children has.

    `refused_by` is the first of its matchers that refused. `ended_by` is the id of the sibling before it that took the
    alert and does not continue, so that this one was not asked. `below` are the children, where they were asked.
    """

    route: Route
    outcome: Outcome
    refused_by: Matcher | None = None
    ended_by: str = ""
    below: tuple[Visit, ...] = ()

    @property
    def matched(self) -> bool:
        return self.outcome in {"taken", "passed_on"}


def trace(route: Route, labels: Mapping[str, str]) -> Visit:
    """The same walk as `find`, with nothing left out: every child of a route that matched is in it."""
    for matcher in route.matchers:
        if not matcher.matches(labels):
            return Visit(route, "refused", matcher)
    below: list[Visit] = []
    ended_by = ""
    for child in route.routes:
        visit = Visit(child, "not_reached", ended_by=ended_by) if ended_by else trace(child, labels)
        below.append(visit)
        if visit.matched and not child.continues:
            ended_by = child.id
    return Visit(route, "passed_on" if any(visit.matched for visit in below) else "taken", below=tuple(below))


def taken(visit: Visit) -> tuple[Route, ...]:
    """The routes that took the alert, in routing order."""
    if visit.outcome == "taken":
        return (visit.route,)
    return tuple(route for child in visit.below for route in taken(child))
