"""What people do: to incidents (`bridge.engine.incident_acts`), to deliveries, and to the whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from functools import partial

from bridge.domain.errors import NotFound
from bridge.engine import replay
from bridge.engine.backups import BackupFacts, put_on_record
from bridge.engine.incident_acts import IncidentActs
from bridge.engine.numbers import Numbers
from bridge.engine.numbers_tally import Asked
from bridge.engine.numbers_views import Counted, Report
from bridge.engine.replay import Ask
from bridge.engine.transactions import Transactions
from bridge.engine.views import DeliveryView, ReplayPage


class Operator(IncidentActs):
    """Acts for a person; `by` is who. Every act is one transaction with its audit record."""

    def __init__(self, transactions: Transactions) -> None:
        super().__init__(transactions)
        self._whole = transactions
        self._numbers = Numbers(transactions)

    def numbers(self, asked: Asked) -> AsyncIterator[Counted | Report]:
        """Count what happened in a time: how far it is, from time to time, and at last the report."""
        return self._numbers.count(asked)

    async def retry(self, delivery: str, by: str, now: datetime) -> DeliveryView:
        """Give a dead or parked delivery a new life; it tells the present state. One that has nothing left to say, or
        whose word another brings that waits, becomes `superseded`.

        Raises:
            NotFound: no such delivery.
            Conflict: it is not dead or parked, or nobody is to hear it.
        """
        number = _number(delivery)
        await self._transactions.write(now, partial(replay.retry, delivery=number, by=by))
        return await self.delivery(delivery)

    async def replay(
        self, ask: Ask, by: str, now: datetime, *, cursor: str = "", limit: int = 500, dry_run: bool = False
    ) -> ReplayPage:
        """Give dead letters that are still wanted a new life, one page after the other: go on with the page's `next`.

        A `dry_run` changes nothing and tells what a replay would do.

        Raises:
            NotFound: no such incident, or neither such a channel nor a letter for it.
        """
        return await replay.replay(self._whole, ask, by, now, cursor=cursor, limit=limit, dry_run=dry_run)

    async def backed_up(self, backup: BackupFacts, by: str, now: datetime) -> BackupFacts:
        """Put a backup that was made beside us on record.

        Raises:
            Conflict: it is one of another database.
        """
        await self._transactions.write(now, lambda work: put_on_record(work.tx, backup, by, now))
        return backup


def _number(delivery: str) -> int:
    if not delivery.isdecimal() or len(delivery) > 18:
        raise NotFound(f"no delivery {delivery[:40]!r}: a delivery's id is a number")
    return int(delivery)
