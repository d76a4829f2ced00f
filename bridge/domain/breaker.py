"""Whether a credential is worth trying."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

_SILENCE = timedelta(seconds=30)
_ATTEMPTS = 10
_PROBE_EVERY = timedelta(seconds=5)
_LONG_PAUSE = timedelta(minutes=5)
_RELAPSE = timedelta(minutes=10)
_MOST_NEEDED = 16


class Breaker(Struct, frozen=True):
    """State of one credential. It opens on a refusal, after 30 s with ten attempts and no success, or when the service
    has not taken anything, or wants nothing, for five minutes for its limits.

    While it is open one delivery every 5 s is let through as a probe; a success closes it. One that opens again within
    ten minutes takes twice as many successes in a row: a service that comes and goes is not announced at each turn.
    """

    opened_at: datetime | None = None
    failing_since: datetime | None = None
    failures: int = 0
    probed_at: datetime | None = None
    closed_at: datetime | None = None
    needed: int = 1
    successes: int = 0

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

    def succeeded(self, now: datetime) -> Breaker:
        """After enough successes it is closed; before, the next probe may follow at once."""
        if not self.open:
            return self if self.failing_since is None else Breaker(closed_at=self.closed_at, needed=self.needed)
        if self.successes + 1 < self.needed:
            return replace(self, successes=self.successes + 1, probed_at=None)
        return Breaker(closed_at=now, needed=self.needed)

    def failed(self, now: datetime, *, refused: bool) -> Breaker:
        """An attempt failed; `refused` says that the credential or the destination was."""
        since = self.failing_since or now
        failures = self.failures + 1
        opens = refused or (failures >= _ATTEMPTS and now - since >= _SILENCE)
        return self._after(now, opens=opens, failing_since=since, failures=failures)

    def limited(self, now: datetime, until: datetime) -> Breaker:
        """The service asked to wait until then: no failure, but a silence of which somebody must hear if it is long."""
        since = self.failing_since or now
        return self._after(now, opens=until - since >= _LONG_PAUSE, failing_since=since, failures=self.failures)

    def _after(self, now: datetime, *, opens: bool, failing_since: datetime, failures: int) -> Breaker:
        changed = replace(self, failing_since=failing_since, failures=failures, successes=0)
        if self.open:
            return replace(changed, probed_at=self.probed_at or now)
        if not opens:
            return changed
        relapse = self.closed_at is not None and now - self.closed_at < _RELAPSE
        needed = min(2 * self.needed, _MOST_NEEDED) if relapse else 1
        return replace(changed, opened_at=now, probed_at=now, needed=needed)


CLOSED = Breaker()
