"""One transaction of SQLite, and how a unit runs in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Iterable, Sequence
from typing import TypeVar

from bridge.domain.audit import Record
from bridge.storage.transaction import Row, Unit, Value

T = TypeVar("T")


class SqliteTx:
    """One SQLite transaction. Its methods are coroutines that never suspend, so that units fit any database."""

    __slots__ = ("_connection", "_statements", "records")

    def __init__(self, connection: sqlite3.Connection, statements: dict[str, str]) -> None:
        self._connection = connection
        self._statements = statements
        self.records: list[Record] = []

    async def one(self, name: str, *values: Value) -> Row | None:
        """The first row, None if there is none."""
        row: Row | None = self._connection.execute(self._statements[name], values).fetchone()
        return row

    async def all(self, name: str, *values: Value) -> list[Row]:
        return self._connection.execute(self._statements[name], values).fetchall()

    async def run(self, name: str, *values: Value) -> int:
        """How many rows changed."""
        return self._connection.execute(self._statements[name], values).rowcount

    async def insert(self, name: str, *values: Value) -> int:
        """The new row's id."""
        return self._connection.execute(self._statements[name], values).lastrowid or 0

    async def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        self._connection.executemany(self._statements[name], rows)

    def record(self, record: Record) -> None:
        """Add to the audit; chained and stored with this transaction or not at all."""
        self.records.append(record)

    def hint(self) -> None:
        """There is no other bridge."""


def drive(unit: Unit[T], tx: SqliteTx) -> T:
    """Run a unit to its end without an event loop.

    Raises:
        RuntimeError: the unit awaited something besides the transaction.
    """
    running = unit(tx)
    if not isinstance(running, Coroutine):
        raise TypeError("a unit of work is a coroutine function")
    try:
        running.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    running.close()
    raise RuntimeError("a unit of work may await only its transaction")
