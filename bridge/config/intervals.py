"""Alertmanager's `time_intervals` and `inhibit_rules`, checked in full.

Source of the syntax: Alertmanager's configuration reference, sections "Time interval" and "Inhibition-related settings".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, model_validator

from bridge.config.routes import MatcherTexts, Patterns
from bridge.config.values import Section

_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_FIRST_YEAR, _LAST_YEAR = 1, 9999

Range = tuple[int, int]
"""First and last, both included."""


def _minutes(value: object) -> object:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a time of day; write it like '09:30', at most '24:00'")
    return int(match[1] or match[3]) * 60 + int(match[2] or match[4])


def _pair(value: str, read: Callable[[str], int]) -> Range:
    """`a:b`, or `a` for `a:a`."""
    first, colon, last = value.lower().partition(":")
    begin = read(first)
    return begin, read(last) if colon else begin


def _range(read: Callable[[str], int]) -> Callable[[object], object]:
    def parse(value: object) -> object:
        if not isinstance(value, str):
            return value
        begin, end = _pair(value, read)
        if begin > end:
            raise ValueError(f"{value!r} ends before it begins")
        return begin, end

    return parse


def _weekday(text: str) -> int:
    if text not in _WEEKDAYS:
        raise ValueError(f"{text!r} is not a day of the week; write it like monday or monday:friday")
    return _WEEKDAYS.index(text)


def _month(text: str) -> int:
    number = _MONTHS.index(text) + 1 if text in _MONTHS else int(text) if re.fullmatch(r"[0-9]{1,2}", text) else 0
    if not 1 <= number <= 12:
        raise ValueError(f"{text!r} is not a month; write it like december, 12 or 1:3")
    return number


def _year(text: str) -> int:
    number = int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0
    if not _FIRST_YEAR <= number <= _LAST_YEAR:
        raise ValueError(f"{text!r} is not a year; write it like 2026 or 2026:2028")
    return number


def _day(text: str) -> int:
    number = int(text) if re.fullmatch(r"-?[0-9]{1,2}", text) else 0
    if number == 0 or not -31 <= number <= 31:
        raise ValueError(f"{text!r} is not a day of the month; write 1 to 31, or -1 for the last day")
    return number


def _days(value: object) -> object:
    """Negative days count from the month's end: `1:-1` is the whole month. What begins there must end there."""
    if not isinstance(value, str):
        return value
    begin, end = _pair(value, _day)
    if begin < 0 < end:
        raise ValueError(f"{value!r}: a range that begins with a negative day ends with one")
    if begin > end and not begin > 0 > end:
        raise ValueError(f"{value!r} ends before it begins")
    return begin, end


MinuteOfDay = Annotated[int, BeforeValidator(_minutes, json_schema_input_type=str)]
Weekdays = Annotated[Range, BeforeValidator(_range(_weekday), json_schema_input_type=str)]
Months = Annotated[Range, BeforeValidator(_range(_month), json_schema_input_type=str | int)]
Years = Annotated[Range, BeforeValidator(_range(_year), json_schema_input_type=str | int)]
MonthDays = Annotated[Range, BeforeValidator(_days, json_schema_input_type=str | int)]


def _zone(value: object) -> object:
    if value == "Local" or not isinstance(value, str):
        return value
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is not a time zone; write it like Europe/Berlin, UTC or Local") from error
    return value


class TimeRange(Section):
    """Minutes of the day: the start is in, the end is out. A night is written as two ranges."""

    start_time: MinuteOfDay
    end_time: MinuteOfDay

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError("start_time is before end_time; write a range over midnight as two")
        return self


class IntervalEntry(Section):
    """All that is given must hold; of each list, one entry. Weekdays count from sunday = 0. Zone: UTC if not given."""

    times: tuple[TimeRange, ...] = ()
    weekdays: tuple[Weekdays, ...] = ()
    days_of_month: tuple[MonthDays, ...] = ()
    months: tuple[Months, ...] = ()
    years: tuple[Years, ...] = ()
    location: Annotated[str, BeforeValidator(_zone)] = "UTC"


class TimeInterval(Section):
    """A named time interval: it holds when one of its entries does."""

    name: str = Field(min_length=1)
    time_intervals: tuple[IntervalEntry, ...] = ()


class InhibitRule(Section):
    """While an alert matches the source side, alerts of the target side with the same `equal` labels are muted."""

    name: str | None = None
    source_matchers: MatcherTexts = ()
    target_matchers: MatcherTexts = ()
    source_match: dict[str, str] = Field(default={})
    source_match_re: Patterns = Field(default={})
    target_match: dict[str, str] = Field(default={})
    target_match_re: Patterns = Field(default={})
    equal: tuple[str, ...] = ()
