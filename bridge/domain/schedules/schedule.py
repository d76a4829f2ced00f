"""Who is on call when: layers, later ones over earlier ones where they have somebody, and overrides over all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bridge.domain.schedules import rotation as turning
from bridge.domain.schedules.rotation import Rotation
from bridge.domain.schedules.spans import Span, flatten
from bridge.domain.schedules.wall import Oddity, zone_of
from bridge.domain.schedules.windows import Stretch, Window, open_within

OVERRIDE = "override"
"""The layer of a shift that comes from an override."""

_OVERRIDES = 1_000_000
_SHORTEST = timedelta(microseconds=1)


class Layer(Struct, frozen=True):
    """A rotation over `people`; several in one turn are on call together. `until` is its end, out. No windows: always."""

    name: str
    rotation: Rotation
    people: tuple[tuple[str, ...], ...]
    zone: str = "UTC"
    windows: tuple[Window, ...] = ()
    until: datetime | None = None


class Override(Struct, frozen=True):
    """People in place of whoever it would be. Of two at once the higher rank wins, of equals the later in the list."""

    begin: datetime
    end: datetime
    people: tuple[str, ...]
    name: str = OVERRIDE
    rank: int = 0


class Schedule(Struct, frozen=True):
    """A schedule by name. `imported` are shifts of a calendar: a layer under all others. `fallback` is a receiver's name,
    for when nobody is on call. `notices`: whoever is on call next hears of it at the hand-off.
    """

    name: str
    zone: str = "UTC"
    layers: tuple[Layer, ...] = ()
    overrides: tuple[Override, ...] = ()
    imported: tuple[Override, ...] = ()
    fallback: str | None = None
    notices: bool = True

    def people(self) -> frozenset[str]:
        """Everybody who is named in it."""
        listed = {name for layer in self.layers for turn in layer.people for name in turn}
        return frozenset(listed.union(*(each.people for each in (*self.overrides, *self.imported))))


class Shift(Struct, frozen=True):
    """People on call from `begin` to `end` (out), in UTC, and the layer that says so."""

    begin: datetime
    end: datetime
    people: tuple[str, ...]
    layer: str


class Overlap(Struct, frozen=True):
    """One person on call for two schedules at once."""

    person: str
    schedules: tuple[str, str]
    begin: datetime
    end: datetime


def on_call(schedule: Schedule, at: datetime) -> tuple[str, ...]:
    """Who is on call at a moment; empty if nobody is."""
    begin = at.astimezone(UTC)
    found = _touching(schedule, begin, begin + _SHORTEST, around=timedelta())
    return found[0].people if found else ()


def shift_at(schedule: Schedule, at: datetime) -> Shift | None:
    """The shift under way at a moment."""
    return next(iter(shifts(schedule, at, at + _SHORTEST)), None)


def next_change(schedule: Schedule, after: datetime, within: timedelta) -> datetime | None:
    """When whoever is on call changes next, or may; None if that is not within this span."""
    moments = [at for shift in shifts(schedule, after, after + within)[:2] for at in (shift.begin, shift.end)]
    return min((at for at in moments if after < at <= after + within), default=None)


def shifts(schedule: Schedule, begin: datetime, end: datetime) -> tuple[Shift, ...]:
    """The shifts that touch a stretch of time, in order: whole, also where they begin before it or end after it.

    A turn that another layer or an override cuts in two is two shifts. Two turns of the same people are two shifts.
    """
    return _touching(schedule, begin.astimezone(UTC), end.astimezone(UTC), around=_longest(schedule))


def gaps(schedule: Schedule, begin: datetime, end: datetime) -> tuple[Stretch, ...]:
    """The parts of a stretch of time in which nobody is on call."""
    begin, end = begin.astimezone(UTC), end.astimezone(UTC)
    found = []
    free = begin
    for shift in shifts(schedule, begin, end):
        if shift.begin > free:
            found.append((free, shift.begin))
        free = shift.end
    if free < end:
        found.append((free, end))
    return tuple(found)


def overlaps(schedules: Sequence[Schedule], begin: datetime, end: datetime) -> tuple[Overlap, ...]:
    """Where somebody is on call for two schedules at once, by time."""
    held: dict[str, list[tuple[Shift, str]]] = {}
    for schedule in schedules:
        for shift in shifts(schedule, begin, end):
            for person in shift.people:
                held.setdefault(person, []).append((shift, schedule.name))
    found = [each for person, holding in held.items() for each in _overlapping(person, holding)]
    return tuple(sorted(found, key=lambda each: (each.begin, each.person, each.schedules)))


def odd_handoffs(schedule: Schedule, begin: datetime, end: datetime) -> tuple[tuple[datetime, str, Oddity], ...]:
    """Hand-offs, with their layers, at times that clocks skip or show twice; the moments are those by the rule."""
    found = [
        (at, layer.name, oddity)
        for layer in schedule.layers
        for at, oddity in turning.odd_handoffs(layer.rotation, zone_of(layer.zone), begin, end)
    ]
    return tuple(sorted(found))


def _touching(schedule: Schedule, begin: datetime, end: datetime, *, around: timedelta) -> tuple[Shift, ...]:
    """The shifts that touch a stretch of time; what lies as far as `around` from it is let cut them."""
    spans = flatten(
        [*_layered(schedule, begin - around, end + around), *_given(schedule, begin - around, end + around)]
    )
    return tuple(
        Shift(span.begin, span.end, span.people, span.layer) for span in spans if span.begin < end and span.end > begin
    )


def _longest(schedule: Schedule) -> timedelta:
    """More than any shift takes."""
    turns = [turning.longest(layer.rotation) for layer in schedule.layers]
    given = [each.end - each.begin for each in (*schedule.overrides, *schedule.imported)]
    return max([timedelta(), *turns, *given])


def _overlapping(person: str, holding: Iterable[tuple[Shift, str]]) -> Iterator[Overlap]:
    open_now: list[tuple[Shift, str]] = []
    for shift, name in sorted(holding, key=lambda held: (held[0].begin, held[1])):
        open_now = [held for held in open_now if held[0].end > shift.begin]
        for other, of in open_now:
            if of != name:
                yield Overlap(person, (min(of, name), max(of, name)), shift.begin, min(shift.end, other.end))
        open_now.append((shift, name))


def _layered(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[tuple[tuple[int, ...], Span]]:
    for index, layer in enumerate(schedule.layers, start=1):
        zone = zone_of(layer.zone)
        last = end if layer.until is None else min(end, layer.until)
        for turn in turning.turns(layer.rotation, zone, begin, last):
            people = layer.people[turn.number % len(layer.people)]
            ends = turn.end if layer.until is None else min(turn.end, layer.until)
            for opens, closes in _open(layer, zone, turn.begin, ends):
                yield (index, 0), Span(opens, closes, people, layer.name)


def _open(layer: Layer, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterable[Stretch]:
    if not layer.windows:
        return ((begin, end),) if begin < end else ()
    return open_within(layer.windows, zone, begin, end)


def _given(schedule: Schedule, begin: datetime, end: datetime) -> Iterator[tuple[tuple[int, ...], Span]]:
    """Overrides and imported shifts that touch a stretch of time, whole."""
    for order, listed in ((0, schedule.imported), (_OVERRIDES, schedule.overrides)):
        for each in listed:
            if each.begin < end and each.end > begin and each.begin < each.end and each.people:
                yield (order, each.rank), Span(each.begin, each.end, each.people, each.name)
