"""When the answer of time intervals changes: exact to the minute, through skipped and doubled hours.

Within a stretch of constant distance from UTC the wall clock runs evenly, so a change comes at a minute that an entry
names or at midnight; and the answer may change where such a stretch ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo

from bridge.routing.entries import WHOLE_DAY, Entry, Range

_AHEAD = timedelta(days=3653)
_LAST = datetime(9999, 12, 30, tzinfo=UTC)  # so that no zone's wall clock leaves the range of datetime
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_MONDAY = date(2001, 1, 1)
_CHECKED_AGAIN = 27  # the day of a month from which a skipped month is walked: clocks shift by a day at most


class Clock:
    """The entries of one zone, ORed."""

    def __init__(self, zone: tzinfo, entries: Iterable[Entry]) -> None:
        self._zone = zone
        self._entries = tuple(entries)
        self._days: dict[tuple[bool, ...], tuple[Range, ...]] = {}

    def contains(self, at: datetime) -> bool:
        """Whether one of the entries contains the moment."""
        return any(entry.contains(at) for entry in self._entries)

    def flips(self, at: datetime, horizon: datetime) -> Iterator[datetime]:
        """The moments after `at` and before the horizon at which `contains` becomes another; all in UTC."""
        now = self.contains(at)
        if now and self._is_endless():
            return
        local = at.astimezone(self._zone)
        while at < horizon:
            midnight = at + (_DAY - _time_of(local))
            if not now and local.day < _CHECKED_AGAIN - 1 and not any(e.has_month(local) for e in self._entries):
                at = midnight + (_CHECKED_AGAIN - local.day - 1) * _DAY
                local = at.astimezone(self._zone)
                continue
            end, local_end = _same_offset_until(self._zone, local, at, midnight)
            for flip in self._flips_within(at, local, min(end, horizon), now=now):
                yield flip
                now = not now
            at, local = end, local_end

    def _flips_within(self, start: datetime, local: datetime, end: datetime, *, now: bool) -> Iterator[datetime]:
        """In a stretch of one date and one distance from UTC; `local` is what the wall clock shows at its start."""
        minutes = self._minutes(local)
        if minutes == (WHOLE_DAY if now else ()):
            return
        begun = local.hour * 60 + local.minute
        if any(first <= begun < last for first, last in minutes) is not now:
            yield start
        midnight = start - _time_of(local)
        for edge in (edge for pair in minutes for edge in pair if edge > begun):
            if (found := midnight + timedelta(minutes=edge)) >= end:
                return
            yield found

    def _is_endless(self) -> bool:
        """Whether the entries that ask for no date contain every minute of a week. Spares a walk through ten years."""
        weekly = Clock(self._zone, (e for e in self._entries if e.days_of_month is e.months is e.years is None))
        return all(weekly._minutes(_MONDAY + number * _DAY) == WHOLE_DAY for number in range(7))

    def _minutes(self, day: date) -> tuple[Range, ...]:
        """What the entries contain of a day, as ranges that do not touch; their ends are out."""
        which = tuple(entry.has_day(day) for entry in self._entries)
        found = self._days.get(which)
        if found is None:
            pairs = [pair for entry, there in zip(self._entries, which, strict=True) if there for pair in entry.minutes]
            found = self._days[which] = _joined(pairs)
        return found


def clocks_of(entries: Iterable[Entry]) -> tuple[Clock, ...]:
    """The entries by zone."""
    by_zone: dict[tzinfo, list[Entry]] = {}
    for entry in entries:
        by_zone.setdefault(entry.zone, []).append(entry)
    return tuple(Clock(zone, found) for zone, found in by_zone.items())


def first(clocks: Sequence[Clock], at: datetime, wanted: Callable[[Sequence[bool]], bool]) -> datetime | None:
    """The first moment from `at` on at which what the clocks contain is as wanted, in UTC; None if not within ten years."""
    moment = at.astimezone(UTC)
    horizon = moment + _AHEAD if moment < _LAST - _AHEAD else _LAST
    states = [clock.contains(moment) for clock in clocks]
    flips = [clock.flips(moment, horizon) for clock in clocks]
    upcoming = [next(each, None) for each in flips]
    while not wanted(states):
        found = min((flip for flip in upcoming if flip is not None), default=None)
        if found is None:
            return None
        moment = found
        for place, flip in enumerate(upcoming):
            if flip == moment:
                states[place] = not states[place]
                upcoming[place] = next(flips[place], None)
    return moment


def _joined(pairs: Iterable[Range]) -> tuple[Range, ...]:
    found: list[Range] = []
    for start, end in sorted(pairs):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _time_of(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _same_offset_until(zone: tzinfo, local: datetime, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Where the distance from UTC changes after the start, if that is before the end; else the end. And the time there."""
    offset = local.utcoffset()
    local_end = end.astimezone(zone)
    if local_end.utcoffset() == offset:
        return end, local_end
    same, other = start, end
    while other - same > _SECOND:
        middle = same + (other - same) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            other = middle
    change = other.replace(microsecond=0)
    return change, change.astimezone(zone)
