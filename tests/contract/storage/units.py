"""Units of work for the contract: facts that are set and read, records, and faults."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from bridge.audit.chain import Chain, new_chain_id
from bridge.domain.audit import Kind, Record
from bridge.storage import journal
from bridge.storage.database import Database
from bridge.storage.transaction import Tx

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

Unit = Callable[[Tx], Coroutine[Any, Any, Any]]


class Poison(Exception):  # noqa: N818 - the word of the trade
    """What a unit that cannot succeed raises."""


def put(name: str, value: str, *, record: bool = False) -> Unit:
    async def unit(tx: Tx) -> str:
        await journal.set_fact(tx, name, value)
        if record:
            tx.record(Record(NOW, Kind.RECEIVED, detail=name))
        return name

    return unit


def poison(name: str, error: BaseException | None = None) -> Unit:
    """Writes and records, then raises."""

    async def unit(tx: Tx) -> None:
        await journal.set_fact(tx, name, "written before the fault")
        tx.record(Record(NOW, Kind.RECEIVED, detail=name))
        raise error or Poison(name)

    return unit


def once_in_vain(inner: Unit, error: Exception) -> Unit:
    """Raises the first time it runs, after doing its work: its group has to run again."""
    runs = []

    async def unit(tx: Tx) -> object:
        result = await inner(tx)
        runs.append(result)
        if len(runs) == 1:
            raise error
        return result

    return unit


async def fact(database: Database, name: str) -> str | None:
    return await database.read(lambda tx: journal.fact(tx, name))


async def details(database: Database) -> list[str]:
    """The detail of each audit record, in order."""

    async def unit(tx: Tx) -> list[str]:
        return [row[12] for row in await tx.all("audit_since", 0, "", "", "", "", 100_000)]

    return await database.read(unit)


def chained(database: Database) -> Chain:
    """The database with an audit chain."""
    chain = Chain(new_chain_id())
    database.chain(chain)
    return chain


async def together(*writes: Awaitable[object]) -> list[object]:
    """All at once: the writer drains them into one group. Failures are results."""
    return list(await asyncio.gather(*writes, return_exceptions=True))
