"""The engine's loops. One that fails unexpectedly begins anew; it neither ends the others nor dies unnoticed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

import structlog
from msgspec import Struct

from bridge.domain.clock import Clock

_PAUSE = 1.0
_REMEMBERED = timedelta(minutes=5)
_log = structlog.get_logger("bridge.stages")

Run = Callable[[], Coroutine[Any, Any, None]]


class Stalled(Struct, frozen=True):
    """A stage that failed: which, when, and how."""

    stage: str
    at: datetime
    error: str


class Stages:
    """Runs each stage until it returns; that is how a stage ends once it was told to stop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tasks: list[asyncio.Task[None]] = []
        self._stalled: dict[str, Stalled] = {}
        self._stopping = asyncio.Event()

    def start(self, **stages: Run) -> None:
        self._tasks += [asyncio.create_task(self._keep_up(name, run)) for name, run in stages.items()]

    def stalled(self) -> list[Stalled]:
        """The stages that failed within the last five minutes."""
        return [found for found in self._stalled.values() if self._clock.now() - found.at < _REMEMBERED]

    async def end(self) -> None:
        """Wait for every stage to return. They must have been told to stop."""
        self._stopping.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep_up(self, name: str, run: Run) -> None:
        while True:
            try:
                await run()
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                self._failed(name, "CancelledError")
            except BaseException as error:  # noqa: BLE001 - a plugin's SystemExit must not end the bridge
                self._failed(name, type(error).__name__)
            else:
                return
            try:
                async with asyncio.timeout(_PAUSE):
                    await self._stopping.wait()
            except TimeoutError:
                continue
            return

    def _failed(self, name: str, error: str) -> None:
        self._stalled[name] = Stalled(name, self._clock.now(), error)
        _log.critical("stage_failed", stage=name, error=error, exc_info=True)
