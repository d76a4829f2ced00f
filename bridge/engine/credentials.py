"""What is known of each credential at the moment: is it worth trying, and how fast."""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import TypeVar

from msgspec.structs import asdict, replace

from bridge.domain.breaker import CLOSED, Breaker
from bridge.domain.errors import ChannelError, FailureReason, Refused, Retryable
from bridge.domain.rate import Pace
from bridge.domain.retry import believed
from bridge.engine.generation import ConfiguredChannel

_PROBE_LOOK = timedelta(milliseconds=250)
_REMEMBERED = 256
_WIDEST = 1000
_NOT_OF_THE_CREDENTIAL = {
    FailureReason.CONTENT_REFUSED,
    FailureReason.TOO_LARGE,
    FailureReason.RECIPIENT_REFUSED,
    FailureReason.LEASE_LOST,
}


S = TypeVar("S", Breaker, Pace)


class Credentials:
    """Breakers and paces by credential: channels that share one share its fate. Forgotten at a restart, on purpose, but
    for `standing`: outages of which people have heard, and not that they are over.

    After a pause or an outage a credential begins with one delivery at a time, and one more with each success: a
    service that has just recovered is not run over by all that waited.
    """

    def __init__(self) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._paces: dict[str, Pace] = {}
        self._windows: dict[str, int] = {}
        self._taken: dict[str, deque[datetime]] = {}
        self._recovered: set[str] = set()
        self.standing: set[str] = set()

    def open(self) -> list[str]:
        """The credentials whose breaker is open."""
        return sorted(credential for credential, breaker in self._breakers.items() if breaker.open)

    def room(self, configured: ConfiguredChannel, in_flight: int, free: int, now: datetime) -> int:
        """How many deliveries of a channel may start now; a probe counts as asked for.

        `free` is how many more attempts there may be over all channels. None holds more of them than are free, so that
        channels that hang leave room for those that do not; one each may always go.
        """
        credential = configured.credential
        breaker = self._breakers.get(credential, CLOSED)
        pace = self._paces.get(credential)
        room = self._most(configured, free) - in_flight
        if room <= 0 or not breaker.allows(now) or (pace is not None and not pace.allows(now)):
            return 0
        if breaker.open:
            if in_flight:
                return 0
            self._breakers[credential] = breaker.probing(now)
            return 1
        paced = configured.options.rate is not None or (pace is not None and pace.spacing(now) > 0)
        return 1 if paced else room

    def started(self, configured: ConfiguredChannel, now: datetime) -> None:
        """A delivery goes out now."""
        pace = self._paces.get(configured.credential)
        if pace is not None or configured.options.rate is not None:
            self._paces[configured.credential] = (pace or Pace()).after_one(now, configured.options.rate)

    def not_tried(self, configured: ConfiguredChannel) -> None:
        """A delivery that had its turn was no longer wanted: if it was a probe, the next one takes its place."""
        breaker = self._breakers.get(configured.credential)
        if breaker is not None:
            self._breakers[configured.credential] = breaker.unused()

    def full(self, configured: ConfiguredChannel, in_flight: int, free: int) -> bool:
        """Whether a due delivery must wait for the end of another; `free` as in `room`."""
        return in_flight >= self._most(configured, free)

    def not_before(self, configured: ConfiguredChannel, due: datetime, now: datetime) -> datetime:
        """When a due delivery of a channel is worth another look."""
        pace = self._paces.get(configured.credential)
        if pace is not None and pace.next_at is not None:
            due = max(due, pace.next_at)
        if self._breakers.get(configured.credential, CLOSED).open:
            due = max(due, now + _PROBE_LOOK)
        return due

    def succeeded(self, credential: str, now: datetime) -> bool:
        """Whether that closed an open breaker, or ended what is standing."""
        self._taken.setdefault(credential, deque(maxlen=_REMEMBERED)).append(now)
        window = self._windows.get(credential)
        if window is not None:
            self._windows[credential] = window + 1
            if window >= _WIDEST:
                del self._windows[credential]
        before = self._breakers.get(credential)
        if before is None:
            return self._was_standing(credential)
        after = self._breakers[credential] = before.succeeded(now)
        closed = not after.open and (self._was_standing(credential) or before.open)
        if closed:
            self._recovered.add(credential)
        return closed

    def _was_standing(self, credential: str) -> bool:
        if credential not in self.standing:
            return False
        self.standing.discard(credential)
        return True

    def recovered(self) -> set[str]:
        """The credentials whose breaker closed since this was last asked."""
        recovered, self._recovered = self._recovered, set()
        return recovered

    def failed(self, credential: str, error: ChannelError, now: datetime) -> bool:
        """Whether that opened the breaker. Refused content and a lost lease say nothing against the credential."""
        if error.reason in _NOT_OF_THE_CREDENTIAL:
            return False
        before = self._breakers.get(credential, CLOSED)
        asked = error.retry_after if isinstance(error, Retryable) else None
        limited = error.reason is FailureReason.RATE_LIMITED
        if limited or asked:
            until = self._pause(credential, asked, now)
            after = before.limited(now, until) if limited else before.failed(now, refused=False)
        else:
            after = before.failed(now, refused=isinstance(error, Refused))
        self._breakers[credential] = after
        if limited or after.open or credential in self._windows:
            self._windows[credential] = 1
        return after.open and not before.open

    def shift(self, jump: timedelta) -> None:
        """Move every time along when the clock jumped."""
        self._breakers = {name: _moved(breaker, jump) for name, breaker in self._breakers.items()}
        self._paces = {name: _moved(pace, jump) for name, pace in self._paces.items()}
        for taken in self._taken.values():
            moved = [at + jump for at in taken]
            taken.clear()
            taken.extend(moved)

    def _most(self, configured: ConfiguredChannel, free: int) -> int:
        window = self._windows.get(configured.credential, _WIDEST)
        return min(configured.options.max_in_flight, window, max(free, 1))

    def _pause(self, credential: str, asked: float | None, now: datetime) -> datetime:
        """Until when nothing goes out: what the service asked for, up to an hour, or a second."""
        seconds = believed(asked) or 1.0
        taken = self._taken.pop(credential, ())
        self._paces[credential] = self._paces.get(credential, Pace()).after_pause(now, seconds, tuple(taken))
        return now + timedelta(seconds=seconds)


def _moved(state: S, jump: timedelta) -> S:
    """The same with every moment in it moved."""
    return replace(state, **{name: at + jump for name, at in asdict(state).items() if isinstance(at, datetime)})
