"""When a group of alerts is looked at: `group_wait`, then every `group_interval`; reminders after `repeat_interval`.

Source of the rules: Alertmanager's dispatcher and its notification log. A tick at which nothing can have changed is not
taken; those that are keep the rhythm of the first.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

NOTHING = timedelta()


class Timing(Struct, frozen=True):
    """One route's timing for alerts that came one way. `repeat` None: no reminders of our own."""

    wait: timedelta = NOTHING
    interval: timedelta = NOTHING
    repeat: timedelta | None = None

    @property
    def ticks(self) -> bool:
        """Whether news waits for a tick at all."""
        return self.wait > NOTHING or self.interval > NOTHING

    def first(self, starts_at: datetime, now: datetime) -> datetime:
        """The first look at a group that an alert opens: after `group_wait`, at once if the alert began before that."""
        return now if starts_at + self.wait < now else now + self.wait

    def next(self, flushed_at: datetime | None, now: datetime) -> datetime:
        """The tick that news of this moment waits for."""
        if flushed_at is None or flushed_at > now or self.interval <= NOTHING:
            return now
        return self._aligned(flushed_at, now, -((flushed_at - now) // self.interval))

    def at_or_after(self, flushed_at: datetime | None, moment: datetime) -> datetime:
        """The first tick that is no earlier than a moment."""
        if flushed_at is None or self.interval <= NOTHING:
            return moment
        return self._aligned(flushed_at, moment, -((flushed_at - moment) // self.interval))

    def reminder(self, told_at: datetime, flushed_at: datetime | None) -> datetime | None:
        """When a reminder is due: the first tick after `repeat_interval` is over, which Alertmanager takes strictly."""
        if self.repeat is None:
            return None
        over = told_at + self.repeat
        if flushed_at is None or self.interval <= NOTHING:
            return over
        return self._aligned(flushed_at, over, (over - flushed_at) // self.interval + 1)

    def _aligned(self, flushed_at: datetime, moment: datetime, steps: int) -> datetime:
        try:
            return flushed_at + max(1, steps) * self.interval
        except OverflowError:  # intervals of centuries
            return moment
