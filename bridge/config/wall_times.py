"""Times as calendars and clocks on a wall show them: zones, times of day, weekdays, moments of a place."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfoNotFoundError, available_timezones

from pydantic import AfterValidator, BeforeValidator

from bridge.config.problems import did_you_mean
from bridge.domain.schedules import moment_of, zone_of

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_CLOCK = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_WALL = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ]([01]\d|2[0-3]):([0-5]\d)(?::00)?)?")
_FIRST, _LAST = 1970, 2200


def _zone(value: str) -> str:
    try:
        zone_of(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        near = did_you_mean(value, available_timezones())
        raise ValueError(f"{value!r} is not a time zone{near or '; write it like Europe/Berlin'}") from error
    return value


def _minute(value: object) -> object:
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a time of day; write it like '09:30', at most '24:00'")
    return 24 * 60 if match[1] is None else int(match[1]) * 60 + int(match[2])


def _weekdays(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("write a day of the week, or a range such as monday:friday")  # noqa: TRY004 - pydantic's way
    first, colon, last = value.lower().partition(":")
    for name in (first, last) if colon else (first,):
        if name not in WEEKDAYS:
            raise ValueError(f"{name!r} is not a day of the week{did_you_mean(name, WEEKDAYS)}")
    begin = [*WEEKDAYS].index(first)  # type: ignore[arg-type]  # judged above
    count = ([*WEEKDAYS].index(last) - begin) % 7 + 1 if colon else 1  # type: ignore[arg-type]
    return tuple((begin + offset) % 7 for offset in range(count))


def _year(value: date) -> date:
    if not _FIRST <= value.year <= _LAST:
        raise ValueError(f"a year from {_FIRST} to {_LAST} is wanted")
    return value


def _wall_text(value: str) -> str:
    moment_at(value, "UTC")
    return value


def moment_at(text: str, zone: str) -> datetime:
    """`2026-12-24T18:00` by the clocks of the zone, a date for its midnight; or with an offset. In UTC.

    Raises:
        ValueError: it is neither.
    """
    match = _WALL.fullmatch(text)
    if match is not None:
        day = _year(date.fromisoformat(match[1]))
        return moment_of(day, int(match[2] or 0) * 60 + int(match[3] or 0), zone_of(zone))
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{text!r} is not a time; write it like 2026-12-24T18:00, or with its offset")
    _year(found.date())
    return found.astimezone(UTC)


Zone = Annotated[str, AfterValidator(_zone)]
"""An IANA name."""

MinuteOfDay = Annotated[int, BeforeValidator(_minute, json_schema_input_type=str)]
"""`09:30` as minutes from midnight, 0 to 1440."""

Weekdays = Annotated[tuple[int, ...], BeforeValidator(_weekdays, json_schema_input_type=str)]
"""`monday:friday` as numbers, 0 is Monday; a range may go over Sunday."""

Day = Annotated[date, AfterValidator(_year)]

WallTime = Annotated[str, AfterValidator(_wall_text)]
"""A text that `moment_at` reads."""
