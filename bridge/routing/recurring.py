"""Silences that come back: for as long as a time interval holds, each time it does. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from bridge.routing.intervals import TimeInterval, contains, next_change
from bridge.routing.matchers import Matcher


class Notice(Struct, frozen=True):
    """Who hears, and how long before its end, that an occurrence ends. An empty `to` is the fallback."""

    before: timedelta
    to: str = ""


class Recurring(Struct, frozen=True):
    """A silence of the configuration. It holds while one of its intervals does."""

    name: str
    matchers: tuple[Matcher, ...]
    intervals: tuple[TimeInterval, ...]
    owner: str
    comment: str = ""
    notice: Notice | None = None

    def holds(self, at: datetime) -> bool:
        """Whether it hides anything at this moment."""
        return any(contains(interval, at) for interval in self.intervals)

    def changes(self, at: datetime) -> datetime | None:
        """When it ends, or begins, after this moment; None if it does not within ten years."""
        return next_change(self.intervals, at)
