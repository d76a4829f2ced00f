"""The numbers of a time, counted from the records of incidents, page by page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from bridge.engine.numbers_tally import Asked, Tally
from bridge.engine.numbers_views import Counted, Report
from bridge.engine.transactions import Transactions
from bridge.storage import numbers, retention
from bridge.storage.numbers import Bounds, Fact
from bridge.storage.transaction import Tx

_PAGE = 500
_LATEST = timedelta(days=7)
"""So long after an incident was touched last something may still be sent of it: more than any attempt lasts."""


class Numbers:
    """Counts beside the work of the bridge; one at a time, so that many who ask do not slow it down."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._one = asyncio.Lock()

    async def count(self, asked: Asked) -> AsyncIterator[Counted | Report]:
        """How far it is, from time to time, and at last the report."""
        bounds = Bounds(asked.since, asked.until, asked.since - _LATEST)
        async with self._one:
            tally = Tally(asked)
            total, oldest = await self._transactions.read(lambda tx: _extent(tx, bounds))
            done, after = 0, ("", 0)
            while True:
                page = await self._page(bounds, after)
                for fact in page:
                    done += fact.incident != after[0]
                    after = (fact.incident, fact.seq)
                    tally.add(fact)
                if len(page) < _PAGE:
                    break
                yield Counted(min(done, total), total)
            yield Counted(total, total)
            yield tally.report(oldest)

    async def _page(self, bounds: Bounds, after: tuple[str, int]) -> list[Fact]:
        return await self._transactions.read(lambda tx: numbers.facts(tx, bounds, after, _PAGE))


async def _extent(tx: Tx, bounds: Bounds) -> tuple[int, datetime | None]:
    oldest = await retention.first_record(tx)
    return await numbers.total(tx, bounds), None if oldest is None else oldest[1]
