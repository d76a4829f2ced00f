"""What is known of each credential at the moment: is it worth trying, and how fast."""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.domain.breaker import CLOSED, Breaker
from bridge.domain.errors import ChannelError, FailureReason, Refused, Retryable
from bridge.domain.rate import Pace
from bridge.engine.generation import ConfiguredChannel

_PROBE_LOOK = timedelta(milliseconds=250)


class Credentials:
    """Breakers and paces by credential: channels that share one share its fate. Forgotten at a restart, on purpose."""

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._paces: dict[str, Pace] = {}

    def open(self) -> list[str]:
        """The credentials whose breaker is open."""
        return sorted(credential for credential, breaker in self._breakers.items() if breaker.open)

    def room(self, configured: ConfiguredChannel, in_flight: int, now: datetime) -> int:
        """How many deliveries of a channel may start now; a probe counts as asked for."""
        credential = configured.credential
        breaker = self._breakers.get(credential, CLOSED)
        pace = self._paces.get(credential)
        room = configured.options.max_in_flight - in_flight
        if room <= 0 or not breaker.allows(now) or (pace is not None and not pace.allows(now)):
            return 0
        if breaker.open:
            if in_flight:
                return 0
            self._breakers[credential] = breaker.probing(now)
            return 1
        return room if configured.options.rate is None else 1

    def started(self, configured: ConfiguredChannel, now: datetime) -> None:
        """A delivery of a channel with a rate goes out now."""
        if configured.options.rate is not None:
            pace = self._paces.get(configured.credential, Pace())
            self._paces[configured.credential] = pace.after_one(now, configured.options.rate)

    def not_tried(self, configured: ConfiguredChannel) -> None:
        """A delivery that had its turn was no longer wanted: if it was a probe, the next one takes its place."""
        breaker = self._breakers.get(configured.credential)
        if breaker is not None:
            self._breakers[configured.credential] = breaker.unused()

    def not_before(self, configured: ConfiguredChannel, due: datetime, now: datetime) -> datetime:
        """When a due delivery of a channel is worth another look."""
        pace = self._paces.get(configured.credential)
        if pace is not None and pace.next_at is not None:
            due = max(due, pace.next_at)
        if self._breakers.get(configured.credential, CLOSED).open:
            due = max(due, now + _PROBE_LOOK)
        return due

    def succeeded(self, credential: str) -> bool:
        """Whether that closed an open breaker."""
        breaker = self._breakers.pop(credential, CLOSED)
        return breaker.open

    def failed(self, credential: str, error: ChannelError, now: datetime) -> bool:
        """Whether that opened the breaker. Refused content says nothing against the credential."""
        if error.reason in {
            FailureReason.CONTENT_REFUSED,
            FailureReason.TOO_LARGE,
            FailureReason.RECIPIENT_REFUSED,
            FailureReason.LEASE_LOST,
        }:
            return False
        if error.reason is FailureReason.RATE_LIMITED and isinstance(error, Retryable):
            pace = self._paces.get(credential, Pace())
            self._paces[credential] = pace.after_pause(now, min(error.retry_after or 1.0, 3600.0))
            return False
        before = self._breakers.get(credential, CLOSED)
        after = before.failed(now, refused=isinstance(error, Refused))
        self._breakers[credential] = after
        return after.open and not before.open
