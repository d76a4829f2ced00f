"""The tables that a copy holds, with their columns: the same in both dialects, as SQLite's schema has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from msgspec import Struct

from bridge.storage.migrate import migrate

Row = Sequence[Any]

_MOST_ROWS = 2000
_MOST_BYTES = 4 * 2**20


class Table(Struct, frozen=True):
    """`key` are the columns of the primary key; rows are read in its order."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    @property
    def reading(self) -> str:
        """A statement that reads all of it, the same in both dialects."""
        return f"SELECT {', '.join(self.columns)} FROM {self.name} ORDER BY {', '.join(self.key)}"  # noqa: S608 - our own names

    @property
    def writing_sqlite(self) -> str:
        marks = ", ".join("?" * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - as above

    @property
    def writing_postgres(self) -> str:
        marks = ", ".join(f"${number}" for number in range(1, len(self.columns) + 1))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({marks})"  # noqa: S608 - as above


def tables() -> tuple[Table, ...]:
    """Every table of this version's schema."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        names = [
            row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        ]
        return tuple(_table(connection, name) for name in names)


def _table(connection: sqlite3.Connection, name: str) -> Table:
    columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
    key = sorted((column for column in columns if column[5]), key=lambda column: column[5])
    return Table(name, tuple(column[1] for column in columns), tuple(column[1] for column in key))


class Pace:
    """How many rows to take at once: many small ones, few large ones, so that memory stays bounded."""

    def __init__(self) -> None:
        self.rows = 4

    def took(self, rows: Sequence[Row]) -> None:
        """So many were taken; the next time it may be more or less."""
        size = sum(map(size_of, rows))
        if size > _MOST_BYTES:
            self.rows = max(1, self.rows // 4)
        elif size < _MOST_BYTES // 4:
            self.rows = min(_MOST_ROWS, self.rows * 2)


def size_of(row: Row) -> int:
    """About how many bytes a row takes."""
    return sum(len(value) if isinstance(value, str | bytes) else 8 for value in row)


def in_batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows in batches of bounded size."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += size_of(row)
        if len(batch) >= _MOST_ROWS or size >= _MOST_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
