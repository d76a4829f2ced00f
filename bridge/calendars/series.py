"""Puts right what calendars get wrong about series of events, before they are unrolled."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from icalendar import Calendar, Event, vRecur

_TINY = frozenset({"SECONDLY", "MINUTELY"})
_WITHIN_HOURS = ("BYSECOND", "BYMINUTE")


def untangle(calendar: Calendar, zone: ZoneInfo) -> None:
    """Change the calendar in place: of versions of an event the newest stays, events that share a UID get their own,
    a series that repeats within the hour is left out, and an UNTIL that is a date includes that day.
    """
    masters: dict[str, list[Event]] = {}
    kept: list[Any] = []
    for component in calendar.subcomponents:
        if not isinstance(component, Event):
            kept.append(component)
        elif _start(component) is not None and not _repeats_within_the_hour(component):
            _mend_until(component, zone)
            if "RECURRENCE-ID" in component:
                kept.append(component)
            else:
                masters.setdefault(str(component.get("UID", "")), []).append(component)
    for uid, events in masters.items():
        kept.extend(_versions(uid, events))
    calendar.subcomponents = kept


def _versions(uid: str, events: list[Event]) -> list[Event]:
    """Of one UID the highest SEQUENCE; of those with the same start the last; others are events of their own."""
    newest = max(_sequence(event) for event in events)
    by_start = {event.start.isoformat(): event for event in events if _sequence(event) == newest}
    for number, (start, event) in enumerate(by_start.items()):
        if number or not uid:
            event["UID"] = f"{uid}#{start}"
    return list(by_start.values())


def _start(event: Event) -> date | None:
    """When it begins; None where that cannot be read."""
    try:
        found: date = event.start
    except (ValueError, TypeError, AttributeError):
        return None
    return found


def _sequence(event: Event) -> int:
    try:
        return int(event.get("SEQUENCE", 0))
    except (TypeError, ValueError):
        return 0


def _rules(event: Event) -> list[vRecur]:
    found = event.get("RRULE")
    listed = found if isinstance(found, list) else [found]
    return [rule for rule in listed if isinstance(rule, vRecur)]


def _repeats_within_the_hour(event: Event) -> bool:
    for rule in _rules(event):
        if _TINY.intersection(str(each).upper() for each in rule.get("FREQ", [])):
            return True
        if any(len(rule.get(key, [])) > 1 for key in _WITHIN_HOURS):
            return True
    return False


def _mend_until(event: Event, zone: ZoneInfo) -> None:
    start = event.start
    if not isinstance(start, datetime):
        return
    for rule in _rules(event):
        until = [_end_of(each, start, zone) for each in rule.get("UNTIL", [])]
        if until:
            rule["UNTIL"] = until


def _end_of(until: date, start: datetime, zone: ZoneInfo) -> date:
    if isinstance(until, datetime):
        return until
    last = datetime.combine(until, time(23, 59, 59), tzinfo=start.tzinfo or zone)
    return last.astimezone(UTC) if start.tzinfo is not None else last.replace(tzinfo=None)
