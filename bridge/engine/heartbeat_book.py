"""Signs of life, for those who give them by address and those who ask how they are."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bridge.domain.duration import format_duration
from bridge.domain.errors import NotFound
from bridge.engine import heartbeats
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.routing.heartbeats import Expected
from bridge.storage import heartbeats as stored
from bridge.storage.heartbeats import Heartbeat


class HeartbeatState(StrEnum):
    """`awaited`: the first has not come yet, and may take its time. `missing`: its incident is open."""

    COMES = "comes"
    AWAITED = "awaited"
    MISSING = "missing"


class HeartbeatView(Struct, frozen=True, omit_defaults=True):
    """How a heartbeat is. `due_at` is when it is missing, `missing_since` when it was found to be."""

    name: str
    state: HeartbeatState
    every: str
    grace: str
    last_at: datetime | None = None
    due_at: datetime | None = None
    missing_since: datetime | None = None


class HeartbeatList(Struct, frozen=True):
    heartbeats: tuple[HeartbeatView, ...]


class HeartbeatBook:
    """Heartbeats of the configuration in force."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    async def beat(self, name: str, now: datetime) -> HeartbeatView:
        """It came; returns after the commit.

        Raises:
            NotFound: none of this name comes by address.
            StorageError: not now.
        """

        async def decision(work: Work) -> HeartbeatView:
            expected = work.generation.heartbeats.by_name.get(name)
            if expected is None or expected.matchers:
                raise NotFound(name)
            await heartbeats.beat(work, expected)
            return _view(expected, await stored.get(work.tx, name))

        return await self._transactions.write(now, decision)

    async def every(self) -> HeartbeatList:
        """All of them, by name. Raises StorageError: not now."""
        known = {found.name: found for found in await self._transactions.read(stored.every)}
        by_name = self._transactions.generation().heartbeats.by_name
        return HeartbeatList(tuple(_view(by_name[name], known.get(name)) for name in sorted(by_name)))


def _view(expected: Expected, known: Heartbeat | None) -> HeartbeatView:
    every, grace = format_duration(expected.every), format_duration(expected.grace)
    if known is None or (known.last_at is None and known.due_at is None):
        return HeartbeatView(expected.name, HeartbeatState.AWAITED, every, grace)
    if known.missing_since is not None:
        return HeartbeatView(
            expected.name, HeartbeatState.MISSING, every, grace, known.last_at, missing_since=known.missing_since
        )
    return HeartbeatView(expected.name, HeartbeatState.COMES, every, grace, known.last_at, known.due_at)
