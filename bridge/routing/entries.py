"""One entry of a time interval: conditions on the wall clock of a zone, by the minute.

Source of the meaning: Alertmanager's `time_intervals`.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from datetime import UTC, date, datetime, tzinfo

from msgspec import Struct

Range = tuple[int, int]
"""First and last, both included, unless it is said otherwise."""

WHOLE_DAY: tuple[Range, ...] = ((0, 1440),)


class Entry(Struct, frozen=True):
    """Every condition must hold. None is no condition; an empty one never holds.

    `times` are minutes of the day, the start in, the end (at most 1440) out. Weekdays count from sunday = 0. Days of the
    month count from 1, negative ones from the month's end, -1 being its last.
    """

    times: tuple[Range, ...] | None = None
    weekdays: tuple[Range, ...] | None = None
    days_of_month: tuple[Range, ...] | None = None
    months: tuple[Range, ...] | None = None
    years: tuple[Range, ...] | None = None
    zone: tzinfo = UTC

    def contains(self, at: datetime) -> bool:
        """Whether every condition holds at this moment, which knows its zone."""
        local = at.astimezone(self.zone)
        minute = local.hour * 60 + local.minute
        return any(start <= minute < end for start, end in self.minutes) and self.has_day(local)

    @property
    def minutes(self) -> tuple[Range, ...]:
        """The minutes of a day that counts; the ends are out."""
        return WHOLE_DAY if self.times is None else self.times

    def has_day(self, day: date) -> bool:
        """Whether the conditions on the date hold."""
        return (
            self.has_month(day)
            and _within(self.weekdays, day.isoweekday() % 7)
            and (self.days_of_month is None or _within_month(self.days_of_month, day))
        )

    def has_month(self, day: date) -> bool:
        """Whether the conditions on the month and the year of this date hold."""
        return _within(self.months, day.month) and _within(self.years, day.year)


def _within(ranges: Iterable[Range] | None, value: int) -> bool:
    return ranges is None or any(first <= value <= last for first, last in ranges)


def _within_month(ranges: Iterable[Range], day: date) -> bool:
    """In a month that is too short, a range that begins after its end has no day; one that ends later is cut."""
    length = calendar.monthrange(day.year, day.month)[1]
    return any(
        (first if first > 0 else length + first + 1) <= day.day <= (last if last > 0 else length + last + 1)
        for first, last in ranges
    )
