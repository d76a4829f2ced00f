"""A PostgreSQL database copied into a file, and a file loaded into an empty PostgreSQL database: row by row, in one
snapshot and in one transaction, with bounded memory.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import asyncpg

from bridge.domain.errors import StorageError
from bridge.storage.backup import Advance, newest_schema, open_reading
from bridge.storage.migrate import migrate
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_link import Link
from bridge.storage.postgres_transaction import storable
from bridge.storage.statements import statements
from bridge.storage.tables import Pace, Row, Table, in_batches, tables

_CONNECT = 10.0
_PATIENT = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = 0"
)
_SNAPSHOT = f"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {_PATIENT}"
_LOADING = f"BEGIN; {_PATIENT}"
_COUNTED = ("alerts", "deliveries", "requests", "timers", "audit_checkpoints")
"""The tables whose ids are given out by the bridge."""


async def copy_server(address: Address, target: Path, advance: Advance) -> None:
    """Copy a database as it is now into the empty file `target`.

    Raises:
        StorageError: it cannot be read, has another version's schema, or there is no room.
    """
    link = await Link.open(address, within=_CONNECT, reads=True)
    try:
        await link.script(_SNAPSHOT)
        await require_this_schema(link, address)
        counted = await link.one(statements("postgres")["copy_rows"])
        with closing(sqlite3.connect(target, isolation_level=None)) as file:
            for pragma in ("page_size = 16384", "journal_mode = OFF", "synchronous = OFF"):
                file.execute(f"PRAGMA {pragma}")
            migrate(file)
            file.execute("BEGIN")
            progress = _Progress(advance, int(counted[0]) if counted else 0)
            for table in tables():
                await _copy_table(link, file, table, progress.more)
            file.execute("COMMIT")
    except (sqlite3.Error, asyncpg.PostgresError) as error:
        raise StorageError(f"{address.name}: cannot be copied: {_first_line(error)}") from error
    finally:
        await link.close()


async def load_server(copy: Path, address: Address, ahead: int, advance: Advance) -> None:
    """Load a file into an empty database. New ids begin `ahead` of those in the file.

    Raises:
        StorageError: it cannot be reached or used, is not empty, or a text in the file is none that it takes.
    """
    await (await PostgresDatabase.open(address.dsn.reveal())).close()  # makes the tables, and judges the server
    link = await Link.open(address, within=_CONNECT)
    sql = statements("postgres")
    try:
        await link.script(_LOADING)
        await link.one(sql["turn_take"])
        await require_this_schema(link, address)
        if used := await link.one(sql["copy_in_use"]):
            raise StorageError(f"{address.name} is not empty: {used[0]}. Restore into a database of its own")
        with closing(open_reading(copy)) as file:
            every = tables()
            progress = _Progress(advance, sum(_rows(file, table) for table in every))
            for table in every:
                for batch in in_batches(file.execute(table.reading)):
                    await link.many(table.writing_postgres, [_storable(table, row) for row in batch])
                    progress.more(len(batch))
            newest = {name: int(_newest(file, name, "id")) for name in _COUNTED}
            await link.run(sql["copy_turn"], max(newest.values()) + 1 + ahead, _newest(file, "audit", "seq") + 1)
        await link.script("COMMIT")
    except (sqlite3.Error, asyncpg.PostgresError) as error:
        raise StorageError(f"{address.name}: cannot be loaded: {_first_line(error)}") from error
    finally:
        await link.close()


async def require_this_schema(link: Link, address: Address) -> None:
    """Raises StorageError if the tables are those of another version."""
    sql = statements("postgres")
    found = 0
    if await link.one(sql["schema_there"]) is not None:
        found = max((row[0] for row in await link.all(sql["schema_halves"])), default=0)
    if found != newest_schema():
        raise StorageError(
            f"{address.name} has schema {found}, this version has {newest_schema()}: use the alertbridge that runs on it, or "
            "`alertbridge migrate` first"
        )


class _Progress:
    def __init__(self, advance: Advance, total: int) -> None:
        self._advance, self._total, self._done = advance, total, 0

    def more(self, rows: int) -> None:
        self._done += rows
        self._advance(self._done, self._total)


async def _copy_table(link: Link, file: sqlite3.Connection, table: Table, more: Callable[[int], None]) -> None:
    fetch = await link.pages(table.reading)
    pace = Pace()
    while rows := await fetch(pace.rows):
        file.executemany(table.writing_sqlite, [tuple(row) for row in rows])
        pace.took(rows)
        more(len(rows))


def _storable(table: Table, row: Row) -> Row:
    values = [storable(value) for value in row]
    if table.name == "audit" and values != list(row):
        raise StorageError(
            f"audit record {row[0]} holds characters that PostgreSQL does not store, and cannot be changed: it is under its hash"
        )
    return values


def _rows(file: sqlite3.Connection, table: Table) -> int:
    return int(file.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])  # noqa: S608 - our own names


def _newest(file: sqlite3.Connection, name: str, column: str) -> int:
    return int(file.execute(f"SELECT coalesce(max({column}), 0) FROM {name}").fetchone()[0])  # noqa: S608 - as above


def _first_line(error: Exception) -> str:
    """Without the row that a server quotes."""
    return (str(error).splitlines() or [type(error).__name__])[0]
