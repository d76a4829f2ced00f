"""Restrictions: the hours of the week in which a layer counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bridge.domain.schedules.wall import DAY, local_day, moment_of

EVERY_DAY = frozenset(range(7))

Stretch = tuple[datetime, datetime]
"""Begin and end, in UTC; the end is out."""


class Window(Struct, frozen=True):
    """From minute `begin` to minute `end` of a day. An `end` that is not after `begin` is on the next day, and the night
    belongs to the weekday (0 is Monday) on which it begins.
    """

    begin: int = 0
    end: int = DAY
    weekdays: frozenset[int] = EVERY_DAY


def open_within(windows: Iterable[Window], zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Stretch]:
    """The stretches of [begin, end) in which one of the windows is open, in order and apart from one another."""
    begun: datetime | None = None
    ended = begin
    for opens, closes in sorted(_openings(windows, zone, begin, end)):
        if begun is None:
            begun, ended = opens, closes
        elif opens <= ended:
            ended = max(ended, closes)
        else:
            yield begun, ended
            begun, ended = opens, closes
    if begun is not None:
        yield begun, ended


def _openings(windows: Iterable[Window], zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Stretch]:
    first, last = local_day(begin, zone) - timedelta(days=2), local_day(end, zone) + timedelta(days=1)
    for window in windows:
        over_midnight = timedelta(days=window.end <= window.begin)
        day = first
        while day <= last:
            if day.weekday() in window.weekdays:
                opens = max(begin, moment_of(day, window.begin, zone))
                closes = min(end, moment_of(day + over_midnight, window.end, zone))
                if opens < closes:
                    yield opens, closes
            day += timedelta(days=1)
