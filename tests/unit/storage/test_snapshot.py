"""A database is read beside the bridge that writes to it, without a lock, and cannot be written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.domain.errors import StorageError
from bridge.storage import journal
from bridge.storage.database import Database
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_address import parse_address
from bridge.storage.snapshot import open_to_read
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.transaction import Tx


async def write(tx: Tx) -> None:
    await journal.set_fact(tx, "name", "value")


async def read(tx: Tx) -> str | None:
    return await journal.fact(tx, "name")


async def test_a_file_that_a_bridge_has_open_is_read(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    database = await SqliteDatabase.open(path)
    await database.write(write)
    async with open_to_read(path) as reader:
        assert await reader.read(read) == "value"
        with pytest.raises(StorageError, match="cannot be read"):
            await reader.read(write)
    await database.close()


async def test_a_database_on_a_server_is_read(postgres_url: str) -> None:
    database: Database = await PostgresDatabase.open(postgres_url)
    await database.write(write)
    async with open_to_read(parse_address(postgres_url)) as reader:
        assert await reader.read(read) == "value"
        with pytest.raises(Exception, match="read-only"):
            await reader.read(write)
    await database.close()


async def test_what_is_no_database_is_said_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    with pytest.raises(StorageError, match=f"{path}: cannot be read"):
        async with open_to_read(path):
            pass
    _scribble(path)
    with pytest.raises(StorageError, match=f"{path}: cannot be read"):
        async with open_to_read(path):
            pass


def _scribble(path: Path) -> None:
    path.write_bytes(b"scribbled" * 500)
