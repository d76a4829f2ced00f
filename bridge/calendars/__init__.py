"""Schedules as calendars (RFC 5545), and calendars as schedules. Knows no network and no clock."""

from bridge.calendars.incoming import CalendarError, Imported, Who, parse_calendar
from bridge.calendars.outgoing import schedule_ics

__all__ = ["CalendarError", "Imported", "Who", "parse_calendar", "schedule_ics"]
