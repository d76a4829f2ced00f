"""Requests that are kept but not planned: hooks before routing that do I/O run here, outside any transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog

from bridge.domain.alert import Alert, Status, Webhook
from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.domain.episode import News, reduce
from bridge.domain.errors import BridgeError, StorageError
from bridge.engine import outbox
from bridge.engine.foresight import expected
from bridge.engine.generation import Generation
from bridge.engine.own_alerts import of_our_own, route_of
from bridge.engine.planner import Planner, notification_of_alert
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Effects, Work
from bridge.hooks.api import Verdict
from bridge.observe.metrics import Metrics
from bridge.storage import alerts, journal, replicas
from bridge.storage.journal import Request
from bridge.storage.transaction import Tx

_PAGE = 64
_TRIES = 5
_IDLE = timedelta(seconds=1)
_SPAN = timedelta(seconds=12)
_AT_ONCE = 32
_log = structlog.get_logger("bridge.backlog")

Parse = Callable[[Request], Webhook]


class Backlog:
    """Plans what the journal holds, in order. `parse` reads a stored body as its source sends them."""

    def __init__(self, transactions: Transactions, parse: Parse, metrics: Metrics, clock: Clock) -> None:
        self._transactions = transactions
        self._parse = parse
        self._metrics = metrics
        self._clock = clock
        self._pending = 0
        self.turns = Turns("backlog")
        transactions.follow(self._follow)

    async def load(self) -> int:
        """Count what an earlier start left."""
        self._pending = await self._transactions.read(journal.pending_count)
        self._metrics.journal_pending.set(self._pending)
        return self._pending

    def must_wait(self) -> bool:
        """Whether a new request may not be planned at once: hooks do I/O, or older requests are before it."""
        before = self._transactions.generation().before
        return self._pending > 0 or (before is not None and before.does_io)

    def added(self, number: int = 1) -> None:
        """Requests were kept for later."""
        self._pending += number
        self._metrics.journal_pending.set(self._pending)
        self.turns.wake()

    def _follow(self, effects: Effects) -> None:
        if effects.kept:
            self.added(effects.kept)

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def _turn(self) -> float:
        return 0.0 if await self.step() else _IDLE.total_seconds()

    async def step(self) -> int:
        """Plan one page of what is pending; gives how many requests."""
        if not self._transactions.owner and not self._pending:
            return 0
        page, epochs = await self._page()
        if not page and not self._transactions.owner:
            self._pending = 0
        generation = self._transactions.generation()
        limit = asyncio.Semaphore(_AT_ONCE)
        prepared = await asyncio.gather(*(self._prepare(generation, request, limit) for request in page))
        done = 0
        for request, (webhook, judged) in zip(page, prepared, strict=True):
            done += await self._plan(request, webhook, judged, epochs.get(request.partition, 0))
            self.turns.moved()
        self._metrics.journal_pending.set(self._pending)
        return done

    async def _page(self) -> tuple[list[Request], dict[int, int]]:
        """The oldest pending requests; on a shared database those of partitions claimed here, with their epochs."""
        transactions = self._transactions
        if not transactions.owner:
            return await transactions.read(lambda tx: journal.pending(tx, 0, _PAGE)), {}
        self._pending = await transactions.read(journal.pending_count)
        if not self._pending:
            return [], {}
        epochs = await transactions.write(
            self._clock.now(), lambda work: replicas.take_partitions(work.tx, work.owner, _SPAN)
        )
        return await transactions.read(lambda tx: replicas.pending_in(tx, epochs, _PAGE)), epochs

    async def _prepare(
        self, generation: Generation, request: Request, limit: asyncio.Semaphore
    ) -> tuple[Webhook | None, dict[tuple[str, str, str], Verdict]]:
        """Parse a request again, and let the hooks before routing judge what will be news."""
        try:
            webhook = of_our_own(request) or self._parse(request)
        except Exception as error:  # noqa: BLE001 - one unreadable request must not stop the others
            _log.error("stored_request_unreadable", request=request.id, error=type(error).__name__)
            return None, {}
        chain = generation.before
        if chain is None or not chain.does_io:
            return webhook, {}
        now = self._clock.now()

        async def news(tx: Tx) -> list[Alert]:
            found = []
            for alert in webhook.alerts:
                known = await alerts.known(tx, alert.key)
                if reduce(known.episode if known else None, alert, now)[0] in {News.OPENED, News.UNSEEN}:
                    found.append(alert)
            return found

        async def judge(alert: Alert) -> tuple[tuple[str, str, str], Verdict]:
            async with limit:
                status = Status.FIRING if alert.status is Status.FIRING else Status.RESOLVED
                judged = await chain.run(notification_of_alert(generation, alert, status, self._clock.now()))
            self.turns.moved()
            return alert.key, judged.verdict

        fresh = await self._transactions.read(news)
        return webhook, dict(await asyncio.gather(*(judge(alert) for alert in fresh)))

    async def _plan(
        self, request: Request, webhook: Webhook | None, judged: dict[tuple[str, str, str], Verdict], epoch: int
    ) -> int:
        async def decision(work: Work) -> None:
            if work.owner and not await replicas.holds_partition(work.tx, request.partition, work.owner, epoch):
                return  # the hooks took longer than the claim: another bridge plans it
            if await journal.planned(work.tx, request.id) and webhook is not None:
                await Planner(work, webhook, judged, route=route_of(work, webhook)).plan()

        try:
            if webhook is None:
                raise BridgeError("the stored request cannot be read")  # noqa: TRY301 - counted as any failure to plan
            expects = expected(self._transactions.generation(), webhook, shared=bool(self._transactions.owner))
            await self._transactions.write(self._clock.now(), decision, expects)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001 - poison must not stop the requests behind it
            _log.exception("plan_failed", request=request.id)
            failed = partial(_fail, request=request, error=error)
            if not await self._transactions.write(self._clock.now(), failed):
                return 0
        self._pending = max(0, self._pending - 1)
        return 1


async def _fail(work: Work, request: Request, error: Exception) -> bool:
    """Count a failure; after the last the request is put aside, audited and announced, so that others go on."""
    if not await journal.failed(work.tx, request.id, _TRIES):
        return False
    why = f"request {request.id} of {request.source} cannot be planned: {type(error).__name__}"
    work.record(Kind.QUARANTINED, source=request.source, reason="poisoned", digest=request.digest, detail=why)
    await outbox.notice(work, f"{why}. Its body is kept; see the log for the error.")
    return True
