"""Wall-clock times as moments: the one place that knows what becomes of hours that a clock skips or shows twice.

The rule: a time that does not exist on a day is the first moment after the gap; one that exists twice is the first of
the two. So of two times on the wall the earlier is never the later moment.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

DAY = 24 * 60
"""Minutes of a day on the wall; as a minute of the day it is the midnight at its end."""

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


class Oddity(StrEnum):
    """What is odd about a time on the wall."""

    MISSING = "missing"
    TWICE = "twice"


@lru_cache(maxsize=256)
def zone_of(name: str) -> ZoneInfo:
    """The zone of that IANA name.

    Raises:
        ZoneInfoNotFoundError, ValueError: there is none.
    """
    return ZoneInfo(name)


def local_day(at: datetime, zone: ZoneInfo) -> date:
    """The date that calendars in the zone show at a moment."""
    return at.astimezone(zone).date()


def moment_of(day: date, minute: int, zone: ZoneInfo) -> datetime:
    """When clocks in the zone show that minute (0 to 1440) of that day, in UTC, by the rule above."""
    naive = _naive(day, minute)
    found = naive.replace(tzinfo=zone).astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == naive:
        return found
    return _after_gap(naive, zone)


def oddity(day: date, minute: int, zone: ZoneInfo) -> Oddity | None:
    """Whether clocks in the zone skip that minute of that day, or show it twice."""
    naive = _naive(day, minute)
    first = naive.replace(tzinfo=zone)
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != naive:
        return Oddity.MISSING
    second = first.replace(fold=1)
    return Oddity.TWICE if second.utcoffset() != first.utcoffset() else None


def _naive(day: date, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day) + timedelta(minutes=minute)  # noqa: DTZ001 - on the wall


def _after_gap(naive: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks jump over this time: read with the offset before it, it lies after; with the one after, before."""
    late = naive.replace(tzinfo=zone).astimezone(UTC)
    early = naive.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = late.astimezone(zone).utcoffset()
    while late - early > _SECOND:
        middle = early + (late - early) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            late = middle
        else:
            early = middle
    return late
