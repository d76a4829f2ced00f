"""Units that only read, each on a snapshot of its own, beside the writer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from bridge.domain.errors import StorageBusy
from bridge.storage.postgres_faults import Lost
from bridge.storage.postgres_link import Link
from bridge.storage.postgres_statements import known_statements
from bridge.storage.postgres_transaction import PostgresTx, UnitFailed, drive
from bridge.storage.transaction import Unit

T = TypeVar("T")

_AT_ONCE = 4
_READ = 5.0
_SOON = 1.0
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class Readers:
    """Up to four connections, made when they are needed. `connect` makes one within so many seconds."""

    def __init__(self, connect: Callable[[float], Awaitable[Link]]) -> None:
        self._connect = connect
        self._idle: list[Link] = []
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._running: set[asyncio.Task[object]] = set()

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit. Who is cancelled while waiting leaves it to end by itself.

        Raises:
            StorageError: as `Database.read`.
            Whatever the unit raises.
        """
        task = asyncio.create_task(self._read(unit))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Let what is being read end, and close the connections."""
        while self._running:
            await asyncio.wait(self._running)
        for link in self._idle:
            await link.close()
        self._idle.clear()

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # whoever asked may have given up, and then nobody else looks at it

    async def _read(self, unit: Unit[T]) -> T:
        began = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(_READ):
                await self._free.acquire()
        except TimeoutError as error:
            raise StorageBusy(f"the database has not answered other readers for {_READ:g} s") from error
        idled = bool(self._idle)
        try:
            try:
                return await self._once(unit, began + _READ)
            except Lost:
                if not idled or asyncio.get_running_loop().time() - began > _SOON:
                    raise
                self._drop_idle()  # they have idled through a restart of the server
                return await self._once(unit, began + _READ)
        finally:
            self._free.release()

    async def _once(self, unit: Unit[T], end: float) -> T:
        loop = asyncio.get_running_loop()
        link = self._idle.pop() if self._idle else await self._connect(max(end - loop.time(), 0.0))
        try:
            with link.within(max(end - loop.time(), 0.0)):
                await link.script(_BEGIN)
                tx = PostgresTx(link, known_statements())
                result = await drive(unit, tx)
                await link.script("COMMIT")
        except UnitFailed as failed:
            await self._roll_back(link)
            raise failed.told from failed.error.__cause__
        except BaseException:
            await self._roll_back(link)
            raise
        self._idle.append(link)
        if tx.records:
            raise RuntimeError("a unit that only reads has an audit record to store")
        return result

    async def _roll_back(self, link: Link) -> None:
        if not link.closed:
            with contextlib.suppress(Exception), link.within(1.0):
                await link.script("ROLLBACK")
                self._idle.append(link)
                return
        link.cut()

    def _drop_idle(self) -> None:
        for link in self._idle:
            link.cut()
        self._idle.clear()
