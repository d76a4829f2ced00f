"""LISTEN as a hint that there is something to do. Polling is the truth: a hint may get lost, and nobody must mind.

A connection that went silent looks like one on which nothing happens, so it is pinged: it must hear its own notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

import structlog

from bridge.domain.errors import StorageError
from bridge.storage.postgres_group import CHANNEL
from bridge.storage.postgres_link import Link
from bridge.storage.statements import statements

_PING_EVERY = 10.0
_ECHO_WITHIN = 5.0
_log = structlog.get_logger("bridge.storage")


class Listener:
    """Calls `hinted` when another bridge has left something to do, and after every new connection: one may have been missed.

    `name` is this database object's: its own hints are not news. `proven` is called when the server has passed on a notice.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Link]],
        hinted: Callable[[], None],
        proven: Callable[[], None] = lambda: None,
    ) -> None:
        self._name = name
        self._ping = f"ping {name}"
        self._connect = connect
        self._hinted = hinted
        self._proven = proven
        self._echo = asyncio.Event()
        self._waits = 0.0
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except Exception as error:  # noqa: BLE001 - whatever it is, polling goes on, and this tries again
                if not isinstance(error, StorageError):
                    _log.info("not_listening", error=str(error))
            self._waits = min(max(self._waits * 2, 0.2), 30.0)
            await asyncio.sleep(self._waits * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _listen(self) -> None:
        link = await self._connect()
        ended = asyncio.Event()
        link.on_close(ended.set)
        try:
            with link.within(_ECHO_WITHIN):
                await link.listen(CHANNEL, self._heard)
            self._hinted()
            while True:
                self._echo.clear()
                with link.within(_ECHO_WITHIN):
                    await link.one(statements("postgres")["server_hint"], CHANNEL, self._ping)
                async with asyncio.timeout(_ECHO_WITHIN):
                    await self._echo.wait()
                self._waits = 0.0
                self._proven()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_PING_EVERY):
                        await ended.wait()
        finally:
            link.cut()

    def _heard(self, payload: str) -> None:
        if payload == self._ping:
            self._echo.set()
        elif payload != self._name and not payload.startswith("ping "):
            self._hinted()
