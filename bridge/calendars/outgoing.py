"""A schedule as a calendar that others subscribe to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from icalendar import Calendar, Event

from bridge.domain.schedules import Schedule, Shift, shifts

_REFRESH = timedelta(hours=1)


def schedule_ics(schedule: Schedule, begin: datetime, end: datetime, shown: Mapping[str, str] | None = None) -> bytes:
    """The shifts that touch a stretch of time, each an event, in UTC. `shown` are names for people to read.

    The same shift has the same UID wherever one looks from, whoever holds it; the same shifts are the same bytes.
    """
    calendar = Calendar()
    calendar.add("PRODID", "-//Alertbridge//schedules//EN")
    calendar.add("VERSION", "2.0")
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    calendar.add("X-WR-CALNAME", f"On call: {schedule.name}")
    calendar.add("X-WR-TIMEZONE", schedule.zone)
    calendar.add("REFRESH-INTERVAL", _REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("X-PUBLISHED-TTL", "PT1H")
    for shift in shifts(schedule, begin, end):
        calendar.add_component(_event(schedule, shift, shown or {}))
    written: bytes = calendar.to_ical()
    return written


def _event(schedule: Schedule, shift: Shift, shown: Mapping[str, str]) -> Event:
    event = Event()
    event.add("UID", _uid(schedule, shift))
    event.add("DTSTAMP", shift.begin)  # when the calendar was asked for would make every answer another one
    event.add("DTSTART", shift.begin.astimezone(UTC))
    event.add("DTEND", shift.end.astimezone(UTC))
    people = " + ".join(shown.get(name, name) for name in shift.people)
    event.add("SUMMARY", f"{people} ({schedule.name})")
    event.add("DESCRIPTION", f"On call for {schedule.name}: {people}. From: {shift.layer}")
    event.add("TRANSP", "TRANSPARENT")
    return event


def _uid(schedule: Schedule, shift: Shift) -> str:
    parts = (schedule.name, shift.layer, shift.begin.astimezone(UTC).isoformat())
    return f"{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}@alertbridge"
