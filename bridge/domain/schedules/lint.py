"""What is odd about schedules in the time to come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Literal

from msgspec import Struct

from bridge.domain.schedules.schedule import Schedule, gaps, odd_handoffs, overlaps
from bridge.domain.schedules.wall import Oddity

Severity = Literal["error", "warning", "note"]
Kind = Literal["gap", "overlap", "never_on_call", "missing_hour", "doubled_hour"]

_MANY = 5
_ODD: Mapping[Oddity, tuple[Kind, str]] = {
    Oddity.MISSING: ("missing_hour", "a time that clocks skip; it is the first moment after the gap"),
    Oddity.TWICE: ("doubled_hour", "a time that clocks show twice; it is the first of the two"),
}


class Finding(Struct, frozen=True):
    """One thing found. `begin` and `end` are the first time it happens, in UTC; `count` is how often it does."""

    severity: Severity
    kind: Kind
    schedules: tuple[str, ...]
    message: str
    begin: datetime | None = None
    end: datetime | None = None
    person: str = ""
    count: int = 1


def lint(
    schedules: Sequence[Schedule], people: Iterable[str], begin: datetime, end: datetime, *, fallback: str | None
) -> tuple[Finding, ...]:
    """What is found between two moments. A gap is an error where neither the schedule nor the bridge has a fallback."""
    found = [finding for schedule in schedules for finding in _gaps(schedule, begin, end, fallback)]
    found += [finding for schedule in schedules for finding in _odd(schedule, begin, end)]
    found += _overlaps(schedules, begin, end)
    found += _never(schedules, people)
    return tuple(found)


def _gaps(schedule: Schedule, begin: datetime, end: datetime, fallback: str | None) -> Iterator[Finding]:
    free = gaps(schedule, begin, end)
    told = schedule.fallback or fallback
    severity: Severity = "warning" if told else "error"
    then = f"the fallback {told} is told" if told else "and there is no fallback"
    for opens, closes in free[:_MANY]:
        yield Finding(severity, "gap", (schedule.name,), f"nobody is on call: {then}", opens, closes)
    rest = free[_MANY:]
    if rest:
        words = f"nobody is on call {len(rest)} more times: {then}"
        yield Finding(severity, "gap", (schedule.name,), words, *rest[0], count=len(rest))


def _odd(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[Finding]:
    for at, layer, oddity in odd_handoffs(schedule, begin, end):
        kind, words = _ODD[oddity]
        yield Finding("note", kind, (schedule.name,), f"a hand-off of {layer} is at {words}", at, at)


def _overlaps(schedules: Sequence[Schedule], begin: datetime, end: datetime) -> Iterator[Finding]:
    groups: dict[tuple[str, tuple[str, str]], list[tuple[datetime, datetime]]] = {}
    for each in overlaps(schedules, begin, end):
        groups.setdefault((each.person, each.schedules), []).append((each.begin, each.end))
    for (person, names), times in groups.items():
        often = f", {len(times)} times" if len(times) > 1 else ""
        words = f"{person} is on call for {' and '.join(names)} at once{often}"
        yield Finding("note", "overlap", names, words, *times[0], person=person, count=len(times))


def _never(schedules: Sequence[Schedule], people: Iterable[str]) -> Iterator[Finding]:
    listed = frozenset[str]().union(*(schedule.people() for schedule in schedules))
    for person in people:
        if person not in listed:
            yield Finding("note", "never_on_call", (), f"{person} is in no schedule", person=person)
