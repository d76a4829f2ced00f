"""What is due is done: escalation steps, judgements that were held, reports that waited.

Every due time is a row. The loop polls; a restart loses nothing, and what an outage made late is done once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import structlog

from bridge.domain.clock import Clock
from bridge.domain.errors import StorageError
from bridge.engine.escalator import take_step
from bridge.engine.judging import judge
from bridge.engine.late import replay
from bridge.engine.transactions import Transactions
from bridge.engine.work import Effects, Work
from bridge.observe.metrics import Metrics
from bridge.storage import timers
from bridge.storage.timers import Timer

_PAGE = 200
_IDLE = timedelta(seconds=1)
_AT_ONCE = 64
_log = structlog.get_logger("bridge.timekeeper")


class Timekeeper:
    """The loop over due timers. `step` is one turn of it, for a clock that a test holds."""

    def __init__(self, transactions: Transactions, metrics: Metrics, clock: Clock) -> None:
        self._transactions = transactions
        self._metrics = metrics
        self._clock = clock
        self._wake = asyncio.Event()
        self._next: datetime | None = None
        self._stopping = False
        transactions.follow(self._follow)

    async def run(self) -> None:
        """Until `stop`."""
        while not self._stopping:
            self._wake.clear()
            try:
                await self.step(self._clock.now())
                self._next = await self._transactions.read(timers.next_due)
            except StorageError as error:
                _log.warning("timers_failed", error=str(error))
            wait = _IDLE.total_seconds()
            if self._next is not None:
                wait = min(wait, (self._next - self._clock.now()).total_seconds())
            if wait > 0 and not self._wake.is_set():
                try:
                    async with asyncio.timeout(wait):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def step(self, now: datetime) -> int:
        """Do what is due at `now`; gives how many timers."""
        total = 0
        while True:
            due = await self._transactions.read(lambda tx: timers.due(tx, now, _PAGE))
            if not due:
                return total
            total += len(due)
            plain = [timer for timer in due if timer.kind != "flush"]
            if plain:
                await self._take(plain, now)
            judgements = [timer for timer in due if timer.kind == "flush"]
            limit = asyncio.Semaphore(_AT_ONCE)
            await asyncio.gather(*(judge(self._transactions, timer, now, limit) for timer in judgements))

    async def _take(self, due: list[Timer], now: datetime) -> None:
        async def decision(work: Work) -> list[float]:
            lags = []
            for timer in due:
                if not await timers.delete(work.tx, timer.id):
                    continue
                if timer.kind == "step":
                    if await take_step(work, timer):
                        lags.append((now - timer.due_at).total_seconds())
                else:
                    await replay(work, timer)
            return lags

        for lag in await self._transactions.write(now, decision):
            self._metrics.escalation_lag_seconds.observe(max(0.0, lag))

    def _follow(self, effects: Effects) -> None:
        if effects.timer_at is not None and (self._next is None or effects.timer_at < self._next):
            self._wake.set()
