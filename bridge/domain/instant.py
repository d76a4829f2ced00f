"""A point in time as people give it: a time, or how long ago."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.domain.duration import parse_duration


def parse_instant(text: str, now: datetime) -> datetime:
    """`2026-01-31T12:00:00Z` → that moment in UTC; `2h` → two hours before `now`. A time must say its zone.

    Raises:
        ValueError: it is neither; the message shows the forms.
    """
    try:
        return now - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("it is neither a time with its zone (2026-01-31T12:00:00Z) nor a duration (2h)")
