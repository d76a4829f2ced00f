"""Outcomes are recorded in batches: whatever has come in since the last commit goes into the next."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

import structlog
from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT
from bridge.domain.errors import FailureReason, StorageError, StorageFatal
from bridge.engine import outages, outbox
from bridge.engine.credentials import Credentials
from bridge.engine.outcome import Attempted, record, record_sent
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics
from bridge.storage import deliveries
from bridge.storage.deliveries import Live

_BATCH = 256
_PARKED = "parked:"
_log = structlog.get_logger("bridge.results")


class Parked(Struct, frozen=True):
    """A delivery whose channel is missing or cannot be used; `reason` is a FailureReason's value.

    `announce` marks the first of its channel: the fallback hears of a channel once.
    """

    live: Live
    epoch: int
    reason: str
    problem: str
    announce: bool


class BreakerTurned(Struct, frozen=True):
    """A breaker opened (with why) or closed."""

    credential: str
    channel: str
    opened: bool
    why: str = ""


Item = Attempted | Parked


class Done(Protocol):
    """Called when an outcome is committed; `again` says that it could not be recorded."""

    def __call__(self, live: Live, *, again: bool = False) -> None: ...


class Results:
    """Takes what attempts came to, and calls `done` for each once it is committed."""

    def __init__(
        self,
        transactions: Transactions,
        credentials: Credentials,
        metrics: Metrics,
        clock: Clock,
        rng: random.Random,
        done: Done,
    ) -> None:
        self._transactions = transactions
        self._credentials = credentials
        self._metrics = metrics
        self._clock = clock
        self._rng = rng
        self._done = done
        self._queue: list[Item] = []
        self._turned: list[BreakerTurned] = []
        self._announced: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    def attempted(self, attempted: Attempted, credential: str) -> None:
        """An attempt is over."""
        channel = attempted.job.claimed.channel
        error = attempted.error
        if error is None:
            if self._credentials.succeeded(credential, attempted.at):
                self._turned.append(BreakerTurned(credential, channel, opened=False))
            age = (attempted.at - attempted.job.claimed.created_at).total_seconds()
            self._metrics.end_to_end(age)
            claimed = attempted.job.claimed
            if claimed.reason in CANCELLED_BY_ACKNOWLEDGEMENT:
                self._metrics.page(channel, claimed.person.split("/"), claimed.reason.value)
        elif error.reason is not FailureReason.LEASE_LOST and self._credentials.failed(credential, error, attempted.at):
            self._turned.append(BreakerTurned(credential, channel, opened=True, why=str(error)))
        reason = error.reason.value if error else ""
        self._metrics.attempt(channel, attempted.kind.value, reason, attempted.seconds)
        self._add(attempted)

    def park(self, live: Live, epoch: int, problem: str) -> None:
        """A claimed delivery cannot be tried: its channel is missing (no `problem`) or cannot be used."""
        reason = FailureReason.SECRET_UNREADABLE if problem else FailureReason.CHANNEL_MISSING
        self._add(Parked(live, epoch, reason.value, problem, announce=live.channel not in self._announced))
        self._announced.add(live.channel)

    def usable(self, channel: str) -> None:
        """A parked channel is back: if it goes again, that is news again."""
        self._announced.discard(channel)

    async def settle(self) -> None:
        """Wait until everything taken so far is committed."""
        while self._task is not None:
            await asyncio.shield(self._task)

    def _add(self, item: Item) -> None:
        self._queue.append(item)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
                turned, self._turned = self._turned, []
                await self._commit(batch, turned)
        finally:
            self._task = None

    async def _commit(self, batch: list[Item], turned: list[BreakerTurned]) -> None:
        async def decision(work: Work) -> None:
            made = [item for item in batch if isinstance(item, Attempted) and item.error is None]
            if made:
                await record_sent(work, made)
            for item in batch:
                await self._one(work, item)
            for turn in turned:
                await _turn(work, turn)
            crashpoint("result.before_commit")

        try:
            await self._insist(decision)
        except StorageFatal:
            return  # the process ends; at the next start these count as not tried
        except Exception:  # noqa: BLE001 - one outcome that cannot be written must not hold up the others
            if len(batch) > 1:
                for number, item in enumerate(batch):
                    await self._commit([item], [] if number else turned)
                return
            # Nobody will know that it was tried: it is tried again, and perhaps told twice, rather than stuck.
            _log.exception("outcome_not_recorded", delivery=batch[0].live.id)
            self._done(batch[0].live, again=True)
            return
        crashpoint("result.after_commit")
        for item in batch:
            self._done(item.live)

    async def _insist(self, decision: Callable[[Work], Awaitable[None]]) -> None:
        """Write, as often as it takes: what was told must not be forgotten because the disk is full for a while."""
        wait = 0.05
        while True:
            try:
                await self._transactions.write(self._clock.now(), decision)
            except StorageFatal:
                raise
            except StorageError as error:
                _log.warning("outcome_not_recorded", error=str(error), again_in=wait)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 5.0)
            else:
                return

    async def _one(self, work: Work, item: Item) -> None:
        if isinstance(item, Attempted):
            if item.error is not None:
                await record(work, item, item.error, self._rng)
        else:
            await _park(work, item)


async def _park(work: Work, item: Parked) -> None:
    live = item.live
    if not await deliveries.park(work.tx, live.id, item.epoch, item.reason, work.now):
        return
    work.record(
        Kind.PARKED, incident=live.incident, delivery=live.id, channel=live.channel, reason=item.reason,
        detail=item.problem,
    )  # fmt: skip
    configured = work.generation.channels.get(live.channel)
    if configured is not None and configured.channel is not None:  # a reload was quicker than this record
        await unpark(work, [live], work.now)
        return
    work.effects.live.append(Live(live.id, live.incident, live.channel, work.now, parked=True))
    if item.announce and await outages.began(work, _PARKED + live.channel):
        why = item.problem or "it is not in the configuration any more"
        text = f"channel {live.channel} cannot be used: {why}. Its deliveries are parked until it can."
        await outbox.notice(work, text, about=live.channel)


async def _turn(work: Work, turn: BreakerTurned) -> None:
    kind = Kind.BREAKER_OPENED if turn.opened else Kind.BREAKER_CLOSED
    work.record(kind, channel=turn.channel, reason=turn.credential, detail=turn.why)
    news = outages.began if turn.opened else outages.ended
    if not await news(work, turn.credential):
        return
    if turn.opened:
        text = f"channel {turn.channel} does not take messages: {turn.why}. They wait, and go when it takes them again."
    else:
        text = f"channel {turn.channel} takes messages again."
    await outbox.notice(work, text, about=turn.channel)


async def unpark(work: Work, lives: list[Live], now: datetime) -> None:
    """Channels came back: their parked deliveries go on."""
    for channel in dict.fromkeys(live.channel for live in lives):
        await outages.ended(work, _PARKED + channel)
    for live in lives:
        if await deliveries.unpark(work.tx, live.id, now):
            work.record(Kind.UNPARKED, incident=live.incident, delivery=live.id, channel=live.channel)
            work.effects.live.append(Live(live.id, live.incident, live.channel, now))
