"""Messages a second, evenly spaced."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct


class Pace(Struct, frozen=True):
    """When the next message of a credential may go; None is at once."""

    next_at: datetime | None = None

    def allows(self, now: datetime) -> bool:
        return self.next_at is None or now >= self.next_at

    def after_one(self, now: datetime, rate: float | None) -> Pace:
        """The pace after a message went at `now`; `rate` is in messages a second, None for no limit."""
        return self if rate is None else Pace(now + timedelta(seconds=1 / rate))

    def after_pause(self, now: datetime, seconds: float) -> Pace:
        """The pace after the service asked to wait."""
        until = now + timedelta(seconds=seconds)
        return Pace(until if self.next_at is None else max(until, self.next_at))
