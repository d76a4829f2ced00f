"""What a unit of work may do: named statements, and audit records."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

from bridge.domain.audit import Record

T = TypeVar("T")
Value = str | int | float | bytes | None
Row = tuple[Any, ...]
Expected = tuple[str, tuple[Value, ...]]
"""A statement's name and its values: what a unit will probably look at."""


class AuditSink(Protocol):
    """Turns a transaction's records into chained rows. `commit` or `rollback` follows every `seal`.

    `after` is the last sequence number in use, where others number on too. `renew` comes before a `seal` when nobody knows
    whether the last rows were stored: it begins a new chain behind `newest` (seq, chain, hash), the last record that is
    stored, and gives the new chain's first record.
    """

    def seal(self, records: Sequence[Record], after: int | None = None) -> Sequence[tuple[Value, ...]]: ...
    def renew(self, at: datetime, newest: tuple[int, str, bytes] | None) -> Record: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


class Tx(Protocol):
    """One transaction. Statements are called by name; `records` wait to be chained and stored with it."""

    records: list[Record]

    async def one(self, name: str, *values: Value) -> Row | None:
        """The first row, None if there is none."""
        ...

    async def all(self, name: str, *values: Value) -> list[Row]: ...

    async def run(self, name: str, *values: Value) -> int:
        """How many rows changed."""
        ...

    async def insert(self, name: str, *values: Value) -> int:
        """The new row's id. Ids grow in the order of commits."""
        ...

    async def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None: ...

    def record(self, record: Record) -> None:
        """Add to the audit; chained and stored with this transaction or not at all."""
        ...

    def hint(self) -> None:
        """Tell other bridges on a shared database, once this is committed, that there is something to do."""
        ...


Unit = Callable[[Tx], Awaitable[T]]
