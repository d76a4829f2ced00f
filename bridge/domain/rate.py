"""How fast a credential may be used: by configuration, and by what its service has said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

_BELIEVED = 60.0
_MARGIN = 1.1
_HALVED_EVERY = timedelta(minutes=10)
_NEGLIGIBLE = 0.005


class Pace(Struct, frozen=True):
    """When the next message of a credential may go; None is at once.

    `paused_until` is what the service asked for last. `every` is the seconds between messages that it seems to bear, as
    learned at `learned_at`.
    """

    next_at: datetime | None = None
    paused_until: datetime | None = None
    every: float = 0.0
    learned_at: datetime | None = None

    def allows(self, now: datetime) -> bool:
        return self.next_at is None or now >= self.next_at

    def spacing(self, now: datetime) -> float:
        """The learned seconds between messages. It halves every ten minutes without a further pause, down to nothing."""
        if self.learned_at is None:
            return 0.0
        every = self.every * 0.5 ** max(0, (now - self.learned_at) // _HALVED_EVERY)
        return every if every >= _NEGLIGIBLE else 0.0

    def after_one(self, now: datetime, rate: float | None) -> Pace:
        """The pace after a message went at `now`; `rate` is in messages a second, None for no limit but the learned."""
        every = max(1 / rate if rate else 0.0, self.spacing(now))
        return replace(self, next_at=now + timedelta(seconds=every)) if every else self

    def after_pause(self, now: datetime, seconds: float, taken: Sequence[datetime] = ()) -> Pace:
        """The pace after the service asked to wait; `taken` is when it took messages since its last pause.

        How many it took while the pause it asks for would have lasted is what it bears. The answers to what else was
        under way teach nothing more, nor does a pause of over a minute: that is a quota used up, or a lie.
        """
        until = now + timedelta(seconds=seconds)
        next_at = until if self.next_at is None else max(until, self.next_at)
        known = self.paused_until is not None and now < self.paused_until
        counted = [at for at in taken if (now - at).total_seconds() <= max(seconds, 1.0)]
        if known or not counted or seconds > _BELIEVED:
            return replace(self, next_at=next_at, paused_until=next_at)
        span = seconds + (now - min(counted)).total_seconds()
        return Pace(next_at, next_at, _MARGIN * span / len(counted), now)
