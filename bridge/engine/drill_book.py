"""Fire drills, for those who ask how they went, and hold one by hand."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.engine import drills
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import drills as stored
from bridge.storage.drills import Planned, Result
from bridge.storage.transaction import Tx

_LAST = 20


class DrillResult(Struct, frozen=True, omit_defaults=True):
    """How one went: `outcome` is passed, failed or missed; times in milliseconds since its beginning, absent for never."""

    at: datetime
    outcome: str
    delivered_ms: int | None = None
    acknowledged_ms: int | None = None
    detail: str = ""


class DrillView(Struct, frozen=True, omit_defaults=True):
    """A drill: when its next window begins, since when one is under way, and the last results, the newest first."""

    name: str
    results: tuple[DrillResult, ...]
    next_at: datetime | None = None
    running_since: datetime | None = None


class DrillList(Struct, frozen=True):
    drills: tuple[DrillView, ...]


class DrillBook:
    """Drills of the configuration in force."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def hold(self, name: str, by: str, now: datetime) -> DrillView:
        """Hold one now; returns once the test is on disk.

        Raises:
            NotFound: there is none of this name.
            Conflict: it is under way.
            StorageError: not now.
        """

        async def decision(work: Work) -> DrillView:
            run = await drills.begin(work, name)
            work.record(Kind.DRILLED, actor=by, source="drill", reason="by_hand", detail=f"{name}: {run} begins")
            return await _view(work.tx, name, await stored.get(work.tx, name))

        return await self._transactions.write(now, decision)

    async def every(self) -> DrillList:
        """All of them, by name. Raises StorageError: not now."""
        names = sorted(self._transactions.generation().drills)

        async def look(tx: Tx) -> DrillList:
            return DrillList(tuple([await _view(tx, name, await stored.get(tx, name)) for name in names]))

        return await self._transactions.read(look)


async def _view(tx: Tx, name: str, planned: Planned | None) -> DrillView:
    results = tuple(_result(found) for found in await stored.results(tx, name, _LAST))
    return DrillView(name, results, planned.next_at if planned else None, planned.began_at if planned else None)


def _result(found: Result) -> DrillResult:
    delivered, acknowledged = (ms if ms >= 0 else None for ms in (found.delivered_ms, found.acknowledged_ms))
    return DrillResult(found.at, found.outcome, delivered, acknowledged, found.detail)
