"""Counts what happened to incidents, fact by fact. What it keeps does not grow with their number.

An incident that was resolved and fires again is counted once more: the clocks begin anew. What is counted when is told in the
manual's page on numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Generic, TypeVar

from msgspec import Struct

from bridge.domain.alert import DRILL
from bridge.domain.audit import Kind
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT
from bridge.domain.storm import GROUP
from bridge.engine.numbers_spread import Spread
from bridge.engine.numbers_views import Hour, Line, Paged, Report, Responded, Times
from bridge.storage.numbers import Fact
from bridge.storage.text import unpack

T = TypeVar("T")

NAMES = 1000
"""So many routes, teams and people are told apart; those that come later are counted together."""
OTHERS = "(others)"
_PAGES = frozenset(reason.value for reason in CANCELLED_BY_ACKNOWLEDGEMENT)
_BEGINS = frozenset({Kind.OPENED, Kind.REOPENED})
_ACKNOWLEDGES = frozenset({Kind.ACKNOWLEDGED, Kind.SNOOZED})


class Asked(Struct, frozen=True):
    """From `since` to before `until`, hours of the day as clocks show them in `zone`; `team` is a label's name."""

    since: datetime
    until: datetime
    zone: tzinfo
    zone_name: str
    team: str


class _Run(Struct):
    """An incident from its opening, or from when it fired again, to its end. `kept`: it was kept from people at first."""

    began_at: datetime
    again: bool
    kept: bool = False
    told_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None

    @property
    def counts_from(self) -> datetime | None:
        """When somebody could know; None if nobody was to."""
        return self.told_at if self.kept else self.began_at


class _Sum:
    def __init__(self) -> None:
        self.incidents = self.reopened = self.acknowledged = self.unacknowledged = self.waiting = self.untold = 0
        self.pages = 0
        self.to_acknowledge = Spread()
        self.to_resolve = Spread()

    def line(self, name: str) -> Line:
        return Line(
            name, self.incidents, self.reopened, self.acknowledged, self.unacknowledged, self.waiting, self.untold,
            self.pages, _times(self.to_acknowledge), _times(self.to_resolve),
        )  # fmt: skip


class _Person:
    def __init__(self) -> None:
        self.hours = [0] * 24
        self.incidents = 0


class _Responder:
    def __init__(self) -> None:
        self.acknowledged = 0
        self.times = Spread()


class _Named(Generic[T]):
    """Something for each name, and for all that come when there are too many."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._found: dict[tuple[str, str], T] = {}

    def of(self, name: str, kind: str = "") -> T:
        key = (kind, name)
        if key not in self._found and len(self._found) >= NAMES:
            key = ("", OTHERS)
        if key not in self._found:
            self._found[key] = self._make()
        return self._found[key]

    def all(self) -> list[tuple[str, str, T]]:
        return [(kind, name, found) for (kind, name), found in sorted(self._found.items())]


class Tally:
    """Takes facts by incident and in order; `report` after the last."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._total = _Sum()
        self._routes = _Named(_Sum)
        self._teams = _Named(_Sum)
        self._people = _Named(_Person)
        self._responders = _Named(_Responder)
        self._pages = [0] * 24
        self._begun = [0] * 24
        self._incident = ""
        self._sums: tuple[_Sum, ...] = ()
        self._run: _Run | None = None
        self._called: set[int] = set()

    def add(self, fact: Fact) -> None:
        if fact.source == DRILL:
            return
        if fact.incident != self._incident:
            self._begin(fact)
        if fact.kind in {Kind.SENT, Kind.LATE}:
            if fact.reason in _PAGES:
                self._page(fact)
        elif fact.group_hash != GROUP:
            self._act(fact)

    def report(self, recorded_since: datetime | None) -> Report:
        """What was counted."""
        self._close()
        asked = self._asked
        return Report(
            asked.since,
            asked.until,
            asked.zone_name,
            asked.team,
            recorded_since,
            self._total.line(""),
            tuple(found.line(name) for _kind, name, found in self._routes.all()),
            tuple(found.line(name) for _kind, name, found in self._teams.all()),
            tuple(
                Paged(name, kind, sum(found.hours), found.incidents, tuple(found.hours))
                for kind, name, found in self._people.all()
            ),
            tuple(
                Responded(name, found.acknowledged, _times(found.times))
                for _kind, name, found in self._responders.all()
            ),
            tuple(Hour(hour, self._pages[hour], self._begun[hour]) for hour in range(24)),
        )

    def _begin(self, fact: Fact) -> None:
        self._close()
        self._incident = fact.incident
        team = unpack(fact.labels).get(self._asked.team, "")
        self._sums = (self._total, self._routes.of(fact.route), self._teams.of(team))
        self._called = set()

    def _page(self, fact: Fact) -> None:
        if self._run is not None and self._run.told_at is None:
            self._run.told_at = fact.at
        if not self._asks_for(fact.at):
            return
        hour = self._hour(fact.at)
        self._pages[hour] += 1
        for found in self._sums:
            found.pages += 1
        called = [("person", name) for name in fact.people] or [("channel", fact.channel)]
        for kind, name in called:
            person = self._people.of(name, kind)
            person.hours[hour] += 1
            if id(person) not in self._called:
                self._called.add(id(person))
                person.incidents += 1

    def _act(self, fact: Fact) -> None:
        if fact.kind in _BEGINS:
            self._close()
            self._run = _Run(fact.at, fact.kind is Kind.REOPENED)
            return
        run = self._run
        if run is None:
            return
        if fact.kind is Kind.SUPPRESSED:
            run.kept = run.kept or run.told_at is None
        elif fact.kind in _ACKNOWLEDGES:
            if run.acknowledged_at is None:
                run.acknowledged_at, run.acknowledged_by = fact.at, fact.actor
        elif fact.kind is Kind.RESOLVED:
            run.resolved_at = run.resolved_at or fact.at
            # What was under way at its end is still sent: the run stays until the next begins.

    def _close(self) -> None:
        run, self._run = self._run, None
        if run is None or not self._asks_for(run.began_at):
            return
        self._begun[self._hour(run.began_at)] += 1
        for found in self._sums:
            found.incidents += 1
            found.reopened += run.again
            _count(found, run)
        began = run.counts_from
        if run.acknowledged_at is not None and began is not None:
            responder = self._responders.of(run.acknowledged_by)
            responder.acknowledged += 1
            if run.acknowledged_at >= began:
                responder.times.add((run.acknowledged_at - began).total_seconds())

    def _asks_for(self, at: datetime) -> bool:
        return self._asked.since <= at < self._asked.until

    def _hour(self, at: datetime) -> int:
        return at.astimezone(self._asked.zone).hour


def _count(found: _Sum, run: _Run) -> None:
    began = run.counts_from
    if began is None:
        found.untold += 1
        return
    if run.acknowledged_at is not None:
        found.acknowledged += 1
        if run.acknowledged_at >= began:
            found.to_acknowledge.add((run.acknowledged_at - began).total_seconds())
    elif run.resolved_at is not None:
        found.unacknowledged += 1
    else:
        found.waiting += 1
    if run.resolved_at is not None and run.resolved_at >= began:
        found.to_resolve.add((run.resolved_at - began).total_seconds())


def _times(spread: Spread) -> Times:
    return Times(spread.count, spread.mean(), spread.quantile(0.5), spread.quantile(0.9))
