"""One transaction of SQLite, and how a unit runs in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Coroutine, Iterable, Sequence
from types import CoroutineType
from typing import TypeVar

from bridge.domain.audit import Record
from bridge.storage.sqlite_waiting import Waiting
from bridge.storage.transaction import Row, Unit, Value

T = TypeVar("T")


class SqliteTx:
    """One SQLite transaction. Its methods are coroutines that never suspend, so that units fit any database.

    With `waiting` rows that are added wait there until somebody looks for them; whoever ends the transaction sends them.
    """

    __slots__ = ("_connection", "_statements", "_waiting", "records")

    def __init__(
        self,
        connection: sqlite3.Connection,
        statements: dict[str, str],
        waiting: Waiting | None = None,
    ) -> None:
        self._connection = connection
        self._statements = statements
        self._waiting = waiting
        self.records: list[Record] = []

    async def one(self, name: str, *values: Value) -> Row | None:
        """The first row, None if there is none."""
        self._before(name, values)
        row: Row | None = self._connection.execute(self._statements[name], values).fetchone()
        return row

    async def all(self, name: str, *values: Value) -> list[Row]:
        self._before(name, values)
        return self._connection.execute(self._statements[name], values).fetchall()

    async def run(self, name: str, *values: Value) -> int:
        """How many rows changed; 1 for a row that waits."""
        if self._may_wait(name):
            self._add(name, values)
            return 1
        self._before(name, values)
        return self._connection.execute(self._statements[name], values).rowcount

    async def insert(self, name: str, *values: Value) -> int:
        """The new row's id."""
        if self._may_wait(name):
            return self._add(name, values)
        self._before(name, values)
        return self._connection.execute(self._statements[name], values).lastrowid or 0

    async def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        if self._may_wait(name):
            for values in rows:
                self._add(name, values)
            return
        every = [tuple(values) for values in rows]
        for values in every:
            self._before(name, values)
        self._connection.executemany(self._statements[name], every)

    def _may_wait(self, name: str) -> bool:
        return self._waiting is not None and name in self._waiting.additions

    def _add(self, name: str, values: Sequence[Value]) -> int:
        if self._waiting is None:
            raise RuntimeError("nothing waits here")
        return self._waiting.add(self._waiting.additions[name], values)

    def _before(self, name: str, values: tuple[Value, ...]) -> None:
        if self._waiting is not None:
            self._waiting.before(name, values)

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
    if type(running) is not CoroutineType and not isinstance(running, Coroutine):
        raise TypeError("a unit of work is a coroutine function")
    try:
        running.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    running.close()
    raise RuntimeError("a unit of work may await only its transaction")
