"""Alerts that end by themselves: their sender said until when they hold, or has been silent for too long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Status, Webhook
from bridge.domain.audit import Kind
from bridge.engine.planner import Planner
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import alerts

GRACE = timedelta(seconds=5)
"""How long after the end that its sender set an alert counts as firing still: a report that renews it may be late."""
AFTER_A_START = timedelta(seconds=90)
"""How long senders have to renew, after a start, what ended while the bridge was not there to hear of it."""
_PAGE = 500


class Expiry:
    """Ends what is due."""

    def __init__(self, transactions: Transactions, started_at: datetime) -> None:
        self._transactions = transactions
        self._started_at = started_at

    async def step(self, now: datetime) -> tuple[int, datetime | None]:
        """End the alerts whose time is over; gives how many, and when the next is due."""
        found = await self._transactions.read(lambda tx: alerts.expired(tx, now, _PAGE))
        over = [alert for alert in found if self._ends_at(alert) <= now]
        if over:
            await self._transactions.write(now, lambda work: end(work, over))
        waiting = [moment for alert in found if (moment := self._ends_at(alert)) > now]
        following = await self._transactions.read(lambda tx: alerts.next_expiry(tx, now))
        return len(over), min([*waiting, *([following] if following else [])], default=None)

    def _ends_at(self, alert: Alert) -> datetime:
        moment = ends_at(alert)
        return moment if moment > self._started_at else self._started_at + AFTER_A_START


async def end(work: Work, over: Sequence[Alert]) -> None:
    """End these alerts, unless they were renewed meanwhile."""
    for alert in over:
        known = await alerts.known(work.tx, alert.key)
        if known is None or known.expires_at != alert.expires_at or ends_at(alert) > work.now:
            continue
        reason = "ends_at" if not alert.timeout else "resolve_timeout" if alert.source == API else "stale_after"
        work.record(Kind.STALE, source=alert.source, reason=reason, detail=alert.fingerprint)
        ended = replace(alert, status=Status.RESOLVED, ends_at=alert.expires_at, expires_at=None, timeout=False)
        await Planner(work, Webhook(alert.source, "ended", (ended,), org=alert.org)).plan()


def ends_at(alert: Alert) -> datetime:
    """When a firing alert that has an end of its own is taken for ended."""
    if alert.expires_at is None:
        raise ValueError("the alert has no end of its own")
    return alert.expires_at if alert.timeout else alert.expires_at + GRACE
