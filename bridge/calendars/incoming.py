"""Somebody else's calendar, read as who is on call when.

Calendars in the wild: events cancelled, one UID used for several events, UNTIL as a date or without a zone, whole days,
addresses in any case, an HTML page where the calendar should be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import recurring_ical_events
from icalendar import Calendar, Event
from msgspec import Struct

from bridge.calendars.series import untangle
from bridge.domain.errors import BridgeError
from bridge.domain.person import Person
from bridge.domain.schedules import DAY, Override, moment_of, zone_of
from bridge.domain.schedules.spans import Span, together

MAX_BYTES = 8 * 1024 * 1024
LAYER = "calendar"

_MAX_EVENTS = 50_000
_MAIL = re.compile(r"[^\s<>()\[\],;:\"]+@[^\s<>()\[\],;:\"]+")
_RANK = re.compile(r"\s*\[L(\d{1,3})\]\s*", re.IGNORECASE)
_SPLIT = re.compile(r"[,;/&+]")


class CalendarError(BridgeError):
    """What was fetched is no calendar; the message says what it is instead."""


class Who(Struct, frozen=True):
    """Finds people by what a calendar calls them; keys are in lower case."""

    by_email: Mapping[str, str]
    by_name: Mapping[str, str]

    @classmethod
    def of(cls, people: Iterable[Person]) -> Who:
        known = list(people)
        emails = {email: person.name for person in known for email in person.emails}
        names = {text.casefold(): person.name for person in known for text in (person.shown, person.name)}
        return cls(emails, names)


class Imported(Struct, frozen=True):
    """What a calendar says. `unknown` are the names and addresses in it that no person has, each once."""

    shifts: tuple[Override, ...]
    unknown: tuple[str, ...] = ()


def parse_calendar(
    content: bytes, who: Who, zone: str, begin: datetime, end: datetime, *, match: Literal["email", "name"] = "email"
) -> Imported:
    """The events that touch a stretch of time as overrides. Whole days and floating times are those of the zone.

    Events at once are held together; a summary that begins with `[L2]` goes before those of a lower level. Events that
    are cancelled or name nobody who is known are left out.

    Raises:
        CalendarError: it is no calendar, or one that is out of all proportion.
    """
    calendar = _read(content)
    untangle(calendar, zone_of(zone))
    ranks: dict[int, list[Span]] = {}
    unknown: dict[str, None] = {}
    for event in _occurrences(calendar, zone, begin, end):
        people = []
        for text in _named(event, match):
            found = (who.by_email if match == "email" else who.by_name).get(text.casefold())
            people.append(found) if found is not None else unknown.setdefault(text)
        span = _span(event, zone, tuple(dict.fromkeys(people)))
        if span is not None:
            ranks.setdefault(_rank(event), []).append(span)
    shifts = [
        Override(span.begin, span.end, span.people, LAYER, rank)
        for rank, spans in sorted(ranks.items())
        for span in together(spans, LAYER)
    ]
    return Imported(tuple(shifts), tuple(unknown))


def _read(content: bytes) -> Calendar:
    if len(content) > MAX_BYTES:
        raise CalendarError(f"it is larger than {MAX_BYTES >> 20} MiB")
    head = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype", b"<html", b"<?xml")):
        raise CalendarError(
            "it is an HTML page: the address may want a login, or be that of the page, not the calendar"
        )
    if not head.startswith(b"begin:vcalendar"):
        raise CalendarError("it is no calendar: it does not begin with BEGIN:VCALENDAR")
    try:
        found = Calendar.from_ical(content)
    except (ValueError, KeyError, IndexError, TypeError, UnicodeError) as error:
        raise CalendarError(f"it is a damaged calendar ({type(error).__name__})") from error
    if not isinstance(found, Calendar):
        raise CalendarError("it is no calendar")
    return found


def _occurrences(calendar: Calendar, zone: str, begin: datetime, end: datetime) -> Iterator[Event]:
    query = recurring_ical_events.of(calendar, skip_bad_series=True)
    place = zone_of(zone)
    try:
        found = query.between(begin.astimezone(place), end.astimezone(place))
    except (ValueError, KeyError, TypeError, OverflowError, AttributeError) as error:
        raise CalendarError(f"its events cannot be read ({type(error).__name__})") from error
    if len(found) > _MAX_EVENTS:
        raise CalendarError(f"it has more than {_MAX_EVENTS} events within the time looked at")
    for event in found:
        if isinstance(event, Event) and str(event.get("STATUS", "")).upper() != "CANCELLED":
            yield event


def _span(event: Event, zone: str, people: tuple[str, ...]) -> Span | None:
    if not people:
        return None
    begins = event.start
    ends = event.end
    if not isinstance(begins, datetime) and ends == begins:
        ends = begins + timedelta(days=1)  # a whole day without an end, or with its own day as the end
    begin, end = _moment(begins, zone), _moment(ends, zone)
    return Span(begin, end, people, LAYER) if begin < end else None


def _moment(at: date, zone: str) -> datetime:
    if not isinstance(at, datetime):
        return moment_of(at, 0, zone_of(zone))
    if at.tzinfo is not None:
        return at.astimezone(UTC)
    minute = at.hour * 60 + at.minute
    return moment_of(at.date(), min(minute, DAY), zone_of(zone)) + timedelta(seconds=at.second)


def _named(event: Event, match: Literal["email", "name"]) -> Iterator[str]:
    """What the event calls its people: its attendees but those who declined, else what stands in its summary."""
    summary = _RANK.sub("", str(event.get("SUMMARY", "")), count=1).strip()
    if match == "name":
        yield from (part.strip() for part in _SPLIT.split(summary) if part.strip())
        return
    attendees = [each for each in _listed(event.get("ATTENDEE")) if _accepts(each)]
    found = [str(each)[7:] for each in attendees if str(each).lower().startswith("mailto:")]
    yield from (text.strip().lower() for text in found or _MAIL.findall(summary) or [summary] if text.strip())


def _accepts(attendee: Any) -> bool:
    return str(getattr(attendee, "params", {}).get("PARTSTAT", "")).upper() != "DECLINED"


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _rank(event: Event) -> int:
    match = _RANK.match(str(event.get("SUMMARY", "")))
    return int(match[1]) if match else 0
