"""Fire drills: when the next one is, and what it asks for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.routing.intervals import TimeInterval, contains, next_change


class Drill(Struct, frozen=True):
    """A test at the beginning of each of its windows. Every message has to be delivered `within`, and somebody has to
    acknowledge within `acknowledge` if that is asked. An empty `to` has the labels routed; an empty `notice` is the fallback.
    """

    name: str
    intervals: tuple[TimeInterval, ...]
    within: timedelta
    acknowledge: timedelta | None = None
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    to: str = ""
    notice: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether a drill may be held at this moment."""
        return any(contains(interval, at) for interval in self.intervals)

    def begins(self, at: datetime) -> datetime | None:
        """When the next window begins after this moment; None if none does within ten years."""
        change = next_change(self.intervals, at)
        if change is None or self.holds(change):
            return change
        return next_change(self.intervals, change)
