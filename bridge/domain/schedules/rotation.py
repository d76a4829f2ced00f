"""Whose turn it is when: turns follow one another on local dates and wall-clock times, never on fixed seconds.

`Hours` alone counts elapsed time: every eight hours is every eight hours, whatever clocks show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct

from bridge.domain.schedules.wall import Oddity, local_day, moment_of, oddity

_MONDAY, _FRIDAY, _WEEK = 0, 4, 7
_WORKDAYS = 5


class Days(Struct, frozen=True, tag=True):
    """A hand-off every `count` days."""

    count: int = 1

    def day(self, start: date, number: int) -> date:
        return start + timedelta(days=number * self.count)

    def number(self, start: date, day: date) -> int:
        return (day - start).days // self.count


class Weeks(Struct, frozen=True, tag=True):
    """A hand-off every `count` weeks, on a weekday (0 is Monday). A start on another day makes the first turn short."""

    count: int = 1
    weekday: int = _MONDAY

    def day(self, start: date, number: int) -> date:
        return self._anchor(start) + timedelta(days=number * self.count * _WEEK)

    def number(self, start: date, day: date) -> int:
        return (day - self._anchor(start)).days // (self.count * _WEEK)

    def _anchor(self, start: date) -> date:
        return start - timedelta(days=(start.weekday() - self.weekday) % _WEEK)


class Weekdays(Struct, frozen=True, tag=True):
    """A hand-off on each day from Monday to Friday. The weekend is Friday's, or nobody's from Saturday's hand-off time on."""

    keeps_weekend: bool = True

    def day(self, start: date, number: int) -> date:
        monday, first = _week_of(start)
        weeks, weekday = divmod(first + number, _WORKDAYS)
        return monday + timedelta(days=weeks * _WEEK + weekday)

    def number(self, start: date, day: date) -> int:
        monday, first = _week_of(start)
        weeks, weekday = divmod((day - monday).days, _WEEK)
        return weeks * _WORKDAYS + min(weekday, _FRIDAY) - first


class Hours(Struct, frozen=True, tag=True):
    """A hand-off every `count` hours of elapsed time."""

    count: int


Every = Days | Weeks | Weekdays | Hours


class Rotation(Struct, frozen=True):
    """Turns from `start` on, the first at minute `at` of that day in the zone; nobody's turn before."""

    every: Every
    start: date
    at: int = 9 * 60


class Turn(Struct, frozen=True):
    """One turn, in UTC; `number` counts from 0 at the start."""

    begin: datetime
    end: datetime
    number: int


def turns(rotation: Rotation, zone: ZoneInfo, begin: datetime, end: datetime) -> Iterator[Turn]:
    """The turns that touch a stretch of time, in order, whole."""
    number = _first(rotation, zone, begin)
    starts = _handoff(rotation, zone, number)
    while starts < end:
        following = _handoff(rotation, zone, number + 1)
        ends = _end(rotation, zone, number, following)
        if ends > begin and ends > starts:
            yield Turn(starts, ends, number)
        starts, number = following, number + 1


def longest(rotation: Rotation) -> timedelta:
    """More than any turn takes."""
    match rotation.every:
        case Days(count):
            return timedelta(days=count + 2)
        case Weeks(count):
            return timedelta(days=count * _WEEK + 2)
        case Weekdays():
            return timedelta(days=5)
        case Hours(count):
            return timedelta(hours=count + 1)


def odd_handoffs(
    rotation: Rotation, zone: ZoneInfo, begin: datetime, end: datetime
) -> Iterator[tuple[datetime, Oddity]]:
    """The hand-offs within a stretch of time whose time on the wall is missing or comes twice, with the moment by the rule."""
    for turn in turns(rotation, zone, begin, end):
        if turn.begin >= begin and not (isinstance(rotation.every, Hours) and turn.number):
            found = oddity(_day(rotation, turn.number), rotation.at, zone)
            if found is not None:
                yield turn.begin, found


def _first(rotation: Rotation, zone: ZoneInfo, begin: datetime) -> int:
    """The number of a turn that has begun at `begin`, near the one under way."""
    every, start = rotation.every, rotation.start
    if isinstance(every, Hours):
        return max(0, (begin - _handoff(rotation, zone, 0)) // timedelta(hours=every.count))
    day = local_day(begin, zone) - timedelta(days=2)  # a zone may skip a day
    return max(0, every.number(start, day))


def _day(rotation: Rotation, number: int) -> date:
    if isinstance(rotation.every, Hours):
        return rotation.start
    return max(rotation.start, rotation.every.day(rotation.start, number))


def _handoff(rotation: Rotation, zone: ZoneInfo, number: int) -> datetime:
    moment = moment_of(_day(rotation, number), rotation.at, zone)
    if isinstance(rotation.every, Hours):
        return moment + number * timedelta(hours=rotation.every.count)
    return moment


def _end(rotation: Rotation, zone: ZoneInfo, number: int, following: datetime) -> datetime:
    if not isinstance(rotation.every, Weekdays) or rotation.every.keeps_weekend:
        return following
    return min(following, moment_of(_day(rotation, number) + timedelta(days=1), rotation.at, zone))


def _week_of(start: date) -> tuple[date, int]:
    """The Monday from which workdays are counted, and the first workday's place in that week."""
    if start.weekday() > _FRIDAY:
        return start + timedelta(days=_WEEK - start.weekday()), 0
    return start - timedelta(days=start.weekday()), start.weekday()
