"""A request is kept, and where no hook before routing does I/O, planned in the same transaction."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from bridge.domain.alert import Status, Webhook
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import IngestReason, StorageBusy, StorageError
from bridge.engine.backlog import Backlog
from bridge.engine.foresight import expected
from bridge.engine.keeping import keep
from bridge.engine.planner import Counts, Planner
from bridge.engine.refusals import Refusals
from bridge.engine.transactions import Transactions
from bridge.engine.views import Accepted
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics

_log = structlog.get_logger("bridge.intake")


class Intake:
    """The one door for alerts. An answer means that they are on disk."""

    def __init__(self, transactions: Transactions, backlog: Backlog, refusals: Refusals, metrics: Metrics) -> None:
        self._transactions = transactions
        self._backlog = backlog
        self._refusals = refusals
        self._metrics = metrics
        self.healthy = True
        """False after a commit failed, until one succeeds."""

    async def accept(self, webhook: Webhook, body: bytes, digest: str, now: datetime) -> Accepted:
        """Keep a request; returns after the commit. `digest` is the SHA-256 of `body` in hex.

        Raises:
            StorageBusy, StorageFatal: it is not kept; the sender should try again.
        """
        try:
            if full := self._transactions.full():
                raise StorageBusy(f"the disk is nearly full: {full}")
            accepted = await self._keep(webhook, body, digest, now)
        except (StorageError, asyncio.CancelledError):  # cancelled: the commit took too long for the sender
            self.healthy = False
            raise
        crashpoint("ingest.after_commit")
        self.healthy = True
        firing = sum(alert.status is Status.FIRING for alert in webhook.alerts)
        if firing:
            self._metrics.alerts(webhook.source, "firing", firing)
        if len(webhook.alerts) > firing:
            self._metrics.alerts(webhook.source, "resolved", len(webhook.alerts) - firing)
        return accepted

    async def refuse(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str = "") -> None:
        """Note a refused request; the audit and the fallback hear of it, in sum, within the minute."""
        self._refusals.add(source, reason, detail, now, digest)

    async def _keep(self, webhook: Webhook, body: bytes, digest: str, now: datetime) -> Accepted:
        if self._backlog.must_wait():
            return await self._keep_for_later(webhook, body, digest, now)

        async def decision(work: Work) -> tuple[int, Counts]:
            request = await keep(work, webhook, body, digest, planned=True)
            counts = await Planner(work, webhook).plan()
            crashpoint("ingest.before_commit")
            return request, counts

        try:
            expects = expected(self._transactions.generation(), webhook, shared=bool(self._transactions.owner))
            request, counts = await self._transactions.write(now, decision, expects)
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - whatever a hook or we ourselves got wrong
            # An alert is worth more than a plan: it is kept, and planned again by the backlog, which counts failures.
            _log.exception("plan_failed", source=webhook.source, digest=digest)
            return await self._keep_for_later(webhook, body, digest, now)
        return Accepted(str(request), counts.stored, counts.duplicates, len(webhook.quarantined))

    async def _keep_for_later(self, webhook: Webhook, body: bytes, digest: str, now: datetime) -> Accepted:
        request = await self._transactions.write(now, lambda work: keep(work, webhook, body, digest, planned=False))
        self._backlog.added()
        return Accepted(str(request), len(webhook.alerts), 0, len(webhook.quarantined))
