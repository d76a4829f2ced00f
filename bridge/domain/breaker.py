"""Whether a credential is worth trying."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

_SILENCE = timedelta(seconds=30)
_ATTEMPTS = 10
_PROBE_EVERY = timedelta(seconds=5)


class Breaker(Struct, frozen=True):
    """State of one credential. It opens on a refusal, or after 30 s with ten attempts and no success.

    While it is open one delivery every 5 s is let through as a probe; a success closes it.
    """

    opened_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    probed_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.opened_at is not None

    def allows(self, now: datetime) -> bool:
        """Whether a delivery may be tried now. When open, ask only for the oldest, and call `probing` after."""
        return self.opened_at is None or self.probed_at is None or now - self.probed_at >= _PROBE_EVERY

    def probing(self, now: datetime) -> Breaker:
        return replace(self, probed_at=now) if self.open else self

    def unused(self) -> Breaker:
        """The probe turned out to be no longer wanted: another may go in its place."""
        return replace(self, probed_at=None) if self.open else self

    def succeeded(self) -> Breaker:
        return CLOSED

    def failed(self, now: datetime, *, refused: bool) -> Breaker:
        since = self.failing_since or now
        failures = self.failures + 1
        opens = refused or (failures >= _ATTEMPTS and now - since >= _SILENCE)
        opened_at = self.opened_at or (now if opens else None)
        probed_at = (self.probed_at or now) if opened_at else None
        return Breaker(opened_at, since, failures, probed_at)


CLOSED = Breaker()
