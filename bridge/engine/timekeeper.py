"""What is due is done: escalation steps, judgements that were held, reports that waited.

Every due time is a row. The loop polls; a restart loses nothing, and what an outage made late is done once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

import structlog

from bridge.domain.clock import Clock
from bridge.domain.errors import StorageError
from bridge.engine import (
    calling,
    drills,
    escalator,
    groups,
    handoffs,
    heartbeats,
    quiet,
    quiet_ends,
    recurring,
    rules,
    silencing,
)
from bridge.engine.expiry import Expiry
from bridge.engine.judging import judge, put_aside
from bridge.engine.late import replay
from bridge.engine.storm_digest import look
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Effects, Work
from bridge.observe.metrics import Metrics
from bridge.storage import timers
from bridge.storage.timers import Timer

_PAGE = 200
_IDLE = timedelta(seconds=1)
_AT_ONCE = 64
_LOOKS = 20
_LEAST = 0.005
_LEFT_LYING = timedelta(seconds=2)
_BY_THEMSELVES: Mapping[str, Callable[[Transactions, Timer, datetime], Awaitable[None]]] = {
    "silence": silencing.turn,
    recurring.TIMER: recurring.turn,
}
_TAKEN: Mapping[str, Callable[[Work, Timer], Awaitable[None]]] = {
    "group": groups.tick,
    "storm": look,
    handoffs.TIMER: handoffs.turn,
    "alert": replay,
    rules.TIMER: calling.take_rule,
    escalator.WINDOW: escalator.open_window,
    heartbeats.TIMER: heartbeats.take,
    drills.TIMER: drills.take,
    quiet_ends.SNOOZE: quiet.end_snooze,
    quiet_ends.ACKNOWLEDGEMENT: quiet.end_acknowledgement,
}
"""How a timer is taken, by its kind, besides steps and what is more than one transaction."""
_log = structlog.get_logger("bridge.timekeeper")


class Timekeeper:
    """The loop over due timers. `step` is one turn of it, for a clock that a test holds."""

    def __init__(
        self, transactions: Transactions, metrics: Metrics, clock: Clock, leads: Callable[[], bool] = lambda: True
    ) -> None:
        """`leads`: whether this bridge is the first to take what is due; the others take what it left lying."""
        self._transactions = transactions
        self._metrics = metrics
        self._clock = clock
        self._leads = leads
        self._next: datetime | None = None
        self._expiry = Expiry(transactions, clock.now())
        self._expires_at: datetime | None = None
        self.turns = Turns("timekeeper")
        transactions.follow(self._follow)

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def step(self, now: datetime) -> int:
        """Do what is due at `now`; gives how many timers."""
        before = now if self._leads() else now - _LEFT_LYING
        # What is over must not be told as firing by a tick that comes after its end.
        ended, self._expires_at = await self._expiry.step(before)
        due = await self._transactions.read(lambda tx: timers.due(tx, before, _PAGE))
        for timer in due:
            if timer.kind in _BY_THEMSELVES:
                await self._take_alone(timer, now)
        plain = [timer for timer in due if timer.kind not in {"flush", "group", *_BY_THEMSELVES}]
        if plain:
            await self._take_all(plain, now)
        looks = [timer for timer in due if timer.kind == "group"]
        for begin in range(0, len(looks), _LOOKS):  # a look reads its whole group
            await self._take_all(looks[begin : begin + _LOOKS], now)
        judgements = [timer for timer in due if timer.kind == "flush"]
        limit = asyncio.Semaphore(_AT_ONCE)
        await asyncio.gather(*(self._judge(timer, now, limit) for timer in judgements))
        return len(due) + ended

    async def _judge(self, timer: Timer, now: datetime, limit: asyncio.Semaphore) -> None:
        await judge(self._transactions, timer, now, limit)
        self.turns.moved()

    async def _turn(self) -> float:
        done = await self.step(self._clock.now())
        self._next = await self._transactions.read(timers.next_due)
        if done:
            return 0.0
        if not self._leads():
            return _IDLE.total_seconds()
        wait = _IDLE.total_seconds()
        for moment in (self._next, self._expires_at):
            if moment is not None:
                wait = min(wait, (moment - self._clock.now()).total_seconds())
        return max(wait, _LEAST)

    async def _take_alone(self, timer: Timer, now: datetime) -> None:
        """What is more than one transaction."""
        try:
            await _BY_THEMSELVES[timer.kind](self._transactions, timer, now)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it
            _log.exception("timer_put_aside", timer=timer.id, kind=timer.kind)
            await self._transactions.write(now, partial(put_aside, timer=timer, error=error))
        self.turns.moved()

    async def _take_all(self, due: list[Timer], now: datetime) -> None:
        """Together, and if that fails one by one, so that a timer nobody can take stops no other."""
        try:
            await self._take(due, now)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one of them
            if len(due) > 1:
                for timer in due:
                    await self._take_all([timer], now)
                return
            _log.exception("timer_put_aside", timer=due[0].id, kind=due[0].kind)
            await self._transactions.write(now, partial(put_aside, timer=due[0], error=error))

    async def _take(self, due: list[Timer], now: datetime) -> None:
        async def decision(work: Work) -> list[float]:
            lags = []
            for timer in due:
                if timer.due_at > work.now or not await timers.take(work.tx, timer):
                    continue  # the clock was set back meanwhile, or another took it
                if timer.kind == "step":
                    if await escalator.take_step(work, timer):
                        lags.append((work.now - timer.due_at).total_seconds())
                else:
                    await _TAKEN[timer.kind](work, timer)
            return lags

        for lag in await self._transactions.write(now, decision):
            self._metrics.escalation_lag_seconds.observe(max(0.0, lag))

    def _follow(self, effects: Effects) -> None:
        if effects.timer_at is not None and (self._next is None or effects.timer_at < self._next):
            self.turns.wake()
