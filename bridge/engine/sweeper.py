"""Housekeeping, every few seconds: deliveries whose time is over, refusals gathered, audit checkpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from bridge.domain.clock import Clock
from bridge.domain.errors import FailureReason, Retryable
from bridge.domain.retry import gives_up
from bridge.engine.measuring import measure
from bridge.engine.outcome import die
from bridge.engine.refusals import Refusals, write
from bridge.engine.rehoming import rehome
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics
from bridge.storage import deliveries
from bridge.storage.transaction import Tx

_EVERY = 2.0
_PAGE = 1000
_GIVE_UP_EVERY = timedelta(seconds=15)
_FORGOTTEN = timedelta(hours=24)

Chore = Callable[[datetime], Awaitable[None]]
Checkpoint = Chore


class Sweeper:
    """`step` is one round. `checkpoint` signs the audit's heads when that is due. Where several bridges share a
    database, what concerns it is done by the one that `leads`.
    """

    def __init__(
        self,
        transactions: Transactions,
        refusals: Refusals,
        checkpoint: Checkpoint,
        metrics: Metrics,
        clock: Clock,
        leads: Callable[[], bool] = lambda: True,
        chores: Sequence[Chore] = (),
    ) -> None:
        """`chores` are done last in every round of the bridge that leads."""
        self._transactions = transactions
        self._refusals = refusals
        self._checkpoint = checkpoint
        self._metrics = metrics
        self._clock = clock
        self._leads = leads
        self._chores = chores
        self.turns = Turns("sweeper")
        self._gave_up_at: datetime | None = None

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def _turn(self) -> float:
        await self.step(self._clock.now())
        return _EVERY

    async def step(self, now: datetime) -> None:
        if self._leads():
            await self._give_up(now)
            await rehome(self._transactions, now)
            await self._checkpoint(now)
        if self._refusals.due(now):
            await self.write_refusals(now)
        if self._leads():
            for chore in self._chores:
                await chore(now)

    async def write_refusals(self, now: datetime) -> None:
        """Write down what was refused since the last time, if anything."""
        gathered = self._refusals.take(now)
        if gathered:
            await self._transactions.write(now, lambda work: write(work, gathered))

    async def _give_up(self, now: datetime) -> None:
        """End what waited too long without being tried: behind an open breaker, or parked."""
        if self._gave_up_at is not None and timedelta() <= now - self._gave_up_at < _GIVE_UP_EVERY:
            return
        self._gave_up_at = now
        channels = self._transactions.generation().channels
        limits = {name: configured.options.give_up_after for name, configured in channels.items()}
        shortest = min(limits.values(), default=_FORGOTTEN)
        waiting = await self._transactions.read(lambda tx: deliveries.too_old(tx, now - shortest, _PAGE))
        over = [
            delivery for delivery, channel, created_at in waiting if now - created_at >= limits.get(channel, _FORGOTTEN)
        ]

        async def decision(work: Work) -> None:
            for delivery in over:
                claimed = None if work.is_in_flight(delivery) else await deliveries.claim(work.tx, delivery)
                if claimed is None:
                    continue
                limit = limits.get(claimed.channel, _FORGOTTEN)
                if gives_up(claimed.created_at, work.now, limit):  # again: the clock may have been set back meanwhile
                    await die(work, claimed, Retryable(FailureReason.GAVE_UP, "its time is over"))

        if over:
            await self._transactions.write(now, decision)

    async def measure(self) -> None:
        """Set the gauges that are counted only when asked for."""

        async def counts(tx: Tx) -> tuple[list[tuple[str, str, int]], dict[str, int]]:
            states = {row[0]: int(row[1]) for row in await tx.all("incidents_count")}
            return await deliveries.counts(tx), states

        by_channel, by_state = await self._transactions.read(counts)
        self._metrics.set_deliveries({(channel, state): number for channel, state, number in by_channel})
        self._metrics.set_incidents(by_state)
        generation = self._transactions.generation()
        beats, held = await self._transactions.read(lambda tx: measure(tx, generation))
        self._metrics.signs.set_heartbeats(beats)
        self._metrics.signs.set_drills(held)
