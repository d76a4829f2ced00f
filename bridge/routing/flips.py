"""When the answer of time intervals changes next: exact to the minute, through skipped and doubled hours.

Within a stretch of constant distance from UTC the wall clock runs evenly, so a change comes at a minute that an entry
names or at midnight; and the answer may change where such a stretch ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta, tzinfo

from bridge.routing.entries import WHOLE_DAY, Entry, Range

_DAY = timedelta(days=1)
_MONDAY = date(2001, 1, 1)
_SECOND = timedelta(seconds=1)
_CHECKED_AGAIN = 27  # the day of a month from which a skipped month is walked: clocks shift by a day at most


class Clock:
    """The entries of one zone, ORed."""

    def __init__(self, zone: tzinfo, entries: Iterable[Entry]) -> None:
        self._zone = zone
        self._entries = tuple(entries)

    def contains(self, at: datetime) -> bool:
        """Whether one of the entries contains the moment."""
        return any(entry.contains(at) for entry in self._entries)

    def next_flip(self, at: datetime, horizon: datetime) -> datetime | None:
        """The first moment after `at`, and before the horizon, at which `contains` is not what it is at `at`; all in UTC."""
        now = self.contains(at)
        if now and self._is_endless():
            return None
        for start, end, local in self._stretches(at, horizon, skipping=not now):
            minutes = self._minutes(local)
            begun = local.hour * 60 + local.minute
            if any(first <= begun < last for first, last in minutes) is not now:
                return start
            edge = next((edge for pair in minutes for edge in pair if edge > begun), None)
            if edge is None:
                continue
            found = start + timedelta(minutes=edge) - _time_of(local)
            if found < min(end, horizon):
                return found
        return None

    def _stretches(
        self, at: datetime, horizon: datetime, *, skipping: bool
    ) -> Iterator[tuple[datetime, datetime, datetime]]:
        """Stretches of one date and one distance from UTC: start, end, and what the wall clock shows at the start.

        With `skipping` the greater part of a month without a day that counts is left out.
        """
        while at < horizon:
            local = at.astimezone(self._zone)
            midnight = at + (_DAY - _time_of(local))
            if skipping and local.day < _CHECKED_AGAIN - 1 and not any(e.has_month(local) for e in self._entries):
                at = midnight + (_CHECKED_AGAIN - local.day - 1) * _DAY
                continue
            end = _same_offset_until(self._zone, at, midnight)
            yield at, end, local
            at = end

    def _is_endless(self) -> bool:
        """Whether the entries that ask for no date contain every minute of a week. Spares a walk through ten years."""
        weekly = Clock(self._zone, (e for e in self._entries if e.days_of_month is e.months is e.years is None))
        return all(weekly._minutes(_MONDAY + number * _DAY) == WHOLE_DAY for number in range(7))

    def _minutes(self, day: date) -> tuple[Range, ...]:
        """What the entries contain of a day, as ranges that do not touch; their ends are out."""
        found: list[Range] = []
        for start, end in sorted(pair for entry in self._entries if entry.has_day(day) for pair in entry.minutes):
            if found and start <= found[-1][1]:
                found[-1] = (found[-1][0], max(end, found[-1][1]))
            else:
                found.append((start, end))
        return tuple(found)


def clocks_of(entries: Iterable[Entry]) -> tuple[Clock, ...]:
    """The entries by zone."""
    by_zone: dict[tzinfo, list[Entry]] = {}
    for entry in entries:
        by_zone.setdefault(entry.zone, []).append(entry)
    return tuple(Clock(zone, found) for zone, found in by_zone.items())


def _time_of(local: datetime) -> timedelta:
    return timedelta(hours=local.hour, minutes=local.minute, seconds=local.second, microseconds=local.microsecond)


def _same_offset_until(zone: tzinfo, start: datetime, end: datetime) -> datetime:
    """Where the distance from UTC changes after the start, if that is before the end; else the end."""
    offset = start.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return end
    same, other = start, end
    while other - same > _SECOND:
        middle = same + (other - same) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            same = middle
        else:
            other = middle
    return other.replace(microsecond=0)
