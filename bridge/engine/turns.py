"""A loop that takes one turn after the other, and outlives whatever a turn raises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog

from bridge.domain.errors import StorageError, StorageFatal

PAUSE = 0.5
_log = structlog.get_logger("bridge.turns")


class Turns:
    """`run` until `stop`. A turn gives the seconds until the next one is due; `wake` makes it come at once.

    After a turn that raised the next one comes `pause` seconds later, whoever wakes: what fails must not spin.
    `problem` is what the last turn raised, empty if it ended well.
    """

    def __init__(self, name: str, pause: float = PAUSE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.problem = ""
        self._pause = pause
        self._monotonic = monotonic
        self._moved_at = monotonic()
        self._woken = asyncio.Event()
        self._stopped = asyncio.Event()

    @property
    def stopping(self) -> bool:
        return self._stopped.is_set()

    def wake(self) -> None:
        self._woken.set()

    def moved(self) -> None:
        """A turn ended, or a long one got further."""
        self._moved_at = self._monotonic()

    def still_for(self) -> float:
        """Seconds since a turn ended well or got further, whether it hangs, fails or never comes; 0 after `stop`.

        A database that cannot be used is no fault of the loop, so such a turn counts as one that ended well.
        """
        return 0.0 if self.stopping else max(0.0, self._monotonic() - self._moved_at)

    def stop(self) -> None:
        """No turn begins after the present one."""
        self._stopped.set()
        self._woken.set()

    async def run(self, turn: Callable[[], Awaitable[float]]) -> None:
        """Ends by itself only where the database can no longer be trusted: then the process is ending."""
        while not self.stopping:
            self._woken.clear()
            try:
                wait = await turn()
            except StorageFatal:
                return
            except StorageError as error:
                _log.warning("turn_failed", loop=self.name, error=str(error))
                self.moved()
                await _until(self._stopped, self._pause)
                continue
            except Exception as error:  # noqa: BLE001 - a stage that stops in silence is the worst failure there is
                _log.exception("turn_failed", loop=self.name, error=str(error))
                self.problem = type(error).__name__
                await _until(self._stopped, self._pause)
                continue
            self.moved()
            self.problem = ""
            if wait > 0 and not self._woken.is_set():
                await _until(self._woken, wait)


async def _until(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
