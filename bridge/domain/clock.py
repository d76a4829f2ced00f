"""Where `now` comes from: the machine in production, a dial in tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

_TOLERANCE = timedelta(seconds=2)
_STALE = 60.0
_NOTHING, _SECOND = timedelta(), timedelta(seconds=1)


class Clock(Protocol):
    """Gives the time of day, always in UTC."""

    def now(self) -> datetime:
        """The present moment, with a zone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def uptime() -> float:
    """Seconds that pass whatever the time of day is set to; those of the machine's sleep too, where the system counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class SteadyClock:
    """A clock that follows another, but not when that one jumps.

    After a jump it goes on by the seconds that really passed. Whoever moves along what was planned by the old time calls
    `expect` before and `adopt` when the new time is to count. A difference of up to two seconds is a drift, and
    followed at once. To be used in one thread.
    """

    def __init__(self, clock: Clock, seconds: Callable[[], float] = uptime) -> None:
        self._clock = clock
        self.seconds = seconds
        """What tells how much time passes."""
        self._agreed = (clock.now(), seconds())
        self._jump = timedelta()
        self._adopted_at: float | None = None

    def now(self) -> datetime:
        shown = self._clock.now()
        if _NOTHING <= shown - self._agreed[0] < _SECOND:  # compared a moment ago: no jump fits in between
            return shown
        shown, steady, seconds = self._look()
        if abs(shown - steady) > _TOLERANCE:
            return steady
        self._agreed = (shown, seconds)
        return shown

    def jump(self) -> timedelta:
        """How far the followed clock is from this one: zero unless it has jumped. Forward is positive."""
        shown, steady, _seconds = self._look()
        return shown - steady if abs(shown - steady) > _TOLERANCE else timedelta()

    def expect(self, jump: timedelta) -> None:
        """What is written from here on comes after the rows were moved along, so its times are of after the jump."""
        self._jump, self._adopted_at = jump, None

    def adopt(self, jump: timedelta) -> None:
        """The new time counts."""
        _shown, steady, seconds = self._look()
        self._agreed = (steady + jump, seconds)
        self._jump, self._adopted_at = jump, seconds

    def give_up(self) -> None:
        """What was expected did not come."""
        self._jump = timedelta()

    def mend(self, moment: datetime) -> datetime:
        """A moment that was read before a jump, by the time after it; any other as it is."""
        if not self._jump:
            return moment
        if self._adopted_at is None:
            return moment + self._jump
        _shown, steady, seconds = self._look()
        if seconds - self._adopted_at > _STALE:
            self._jump = timedelta()
            return moment
        return moment + self._jump if abs(moment - steady) > abs(self._jump) / 2 else moment

    def _look(self) -> tuple[datetime, datetime, float]:
        """(what the followed clock shows, what time it is by the seconds that passed, those seconds)."""
        agreed_at, agreed_seconds = self._agreed
        seconds = self.seconds()
        return self._clock.now(), agreed_at + timedelta(seconds=seconds - agreed_seconds), seconds
