"""A loop that takes one turn after the other, and outlives whatever a turn raises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

_AFTER_A_FAILURE = 0.5
_log = structlog.get_logger("bridge.turns")


class Turns:
    """`run` until `stop`. A turn gives the seconds until the next one is due; `wake` makes it come at once."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._woken = asyncio.Event()
        self.stopping = False

    def wake(self) -> None:
        self._woken.set()

    def stop(self) -> None:
        """No turn begins after the present one."""
        self.stopping = True
        self._woken.set()

    async def run(self, turn: Callable[[], Awaitable[float]]) -> None:
        """A turn that raises is logged, and followed by the next one after half a second."""
        while not self.stopping:
            self._woken.clear()
            try:
                wait = await turn()
            except Exception as error:  # noqa: BLE001 - a stage that stops in silence is the worst failure there is
                _log.exception("turn_failed", loop=self._name, error=str(error))
                wait = _AFTER_A_FAILURE
            if wait > 0 and not self._woken.is_set():
                try:
                    async with asyncio.timeout(wait):
                        await self._woken.wait()
                except TimeoutError:
                    continue
