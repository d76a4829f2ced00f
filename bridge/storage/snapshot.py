"""A database as it is now, for units that only read: beside a running bridge, or without one."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Protocol, TypeVar

from bridge.domain.errors import StorageError
from bridge.storage.audit_log import connect_to_read
from bridge.storage.postgres_address import Address
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.statements import statements
from bridge.storage.transaction import Unit

T = TypeVar("T")


class Reader(Protocol):
    """Something to read from."""

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads.

        Raises:
            StorageError: it cannot.
        """
        ...


class _FileReader:
    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._tx = SqliteTx(connection, statements("sqlite"))

    async def read(self, unit: Unit[T]) -> T:
        try:
            return drive(unit, self._tx)
        except sqlite3.Error as error:
            raise _unreadable(self._path, error) from error


@asynccontextmanager
async def open_to_read(database: Path | Address) -> AsyncIterator[Reader]:
    """The database file, or the database on a server. It is not migrated, and no lock is taken.

    Raises:
        StorageError: it is not there, or cannot be read.
    """
    if isinstance(database, Address):
        from bridge.storage.postgres_link import Link  # whoever needs no server need not wait for its driver to load
        from bridge.storage.postgres_readers import Readers

        readers = Readers(lambda within: Link.open(database, within=within, reads=True))
        try:
            yield readers
        finally:
            await readers.close()
        return
    try:
        connection = connect_to_read(database)
    except sqlite3.Error as error:
        raise _unreadable(database, error) from error
    with closing(connection):
        yield _FileReader(database, connection)


def _unreadable(path: Path, error: sqlite3.Error) -> StorageError:
    return StorageError(f"{path}: cannot be read: {error}")
