"""The audit chain of a start: what it follows, and what it says of a database that is not the one that was signed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from bridge.app.trail import Trail
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.secrets.instance import InstanceKeys
from bridge.storage import migrate as migrating
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.statements import migrations
from bridge.storage.transaction import Tx
from tests.bridge_bench import START

NEWEST = migrations("sqlite")[-1][0]


@asynccontextmanager
async def begun(folder: Path) -> AsyncIterator[Trail]:
    """A start on `folder/bridge.db`, ended in order."""
    database = await SqliteDatabase.open(folder / "bridge.db")
    keys = InstanceKeys.load_or_create(folder / "bridge.db.keys")
    try:
        trail = await Trail.begin(database, keys, START, {"version": "1"}, database.path)
        yield trail
        await trail.end(START)
    finally:
        await database.close()


async def kinds(folder: Path) -> list[str]:
    database = await SqliteDatabase.open(folder / "bridge.db")

    async def unit(tx: Tx) -> list[str]:
        return [row[3] for row in await tx.all("audit_since", 0, "", "", "", "", 1000)]

    found = await database.read(unit)
    await database.close()
    return found


def report(folder: Path):
    return verify(folder / "bridge.db", Trust((), InstanceKeys.load(folder / "bridge.db.keys").verifiers))


async def test_start_after_start_makes_one_history_that_holds(tmp_path: Path) -> None:
    for _start in range(3):
        async with begun(tmp_path) as trail:
            assert trail.restored == ""
    assert await kinds(tmp_path) == ["started", "stopped"] * 3
    found = await asyncio.to_thread(report, tmp_path)
    assert found.holds
    assert (found.chains, found.signed_through) == (3, 6)


@pytest.mark.parametrize("damage", ["emptied", "half a note", "no text"])
async def test_a_head_file_that_cannot_be_read_does_not_keep_the_bridge_from_starting(
    tmp_path: Path, damage: str
) -> None:
    async with begun(tmp_path):
        pass
    head = tmp_path / "bridge.db.audit-head"
    text = head.read_bytes()
    head.write_bytes({"emptied": b"", "half a note": text[: len(text) // 2], "no text": b"\xff\xfe\0"}[damage])
    async with begun(tmp_path) as trail:
        assert "bridge.db.audit-head cannot be read" in trail.restored
    assert await kinds(tmp_path) == ["started", "stopped", "started", "restored", "superseded", "stopped"]
    async with begun(tmp_path) as trail:
        assert trail.restored == ""


async def test_a_stored_checkpoint_that_was_tampered_with_does_not_keep_the_bridge_from_starting(
    tmp_path: Path,
) -> None:
    """It is said at the start, and `audit verify` goes on finding it."""
    async with begun(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "bridge.db")) as connection, connection:
        connection.execute("UPDATE audit_checkpoints SET note = 'tampered'")
    async with begun(tmp_path) as trail:
        assert "the newest checkpoint in the database cannot be read" in trail.restored
    assert not (await asyncio.to_thread(report, tmp_path)).holds


async def test_an_emptied_database_is_said_to_be_restored(tmp_path: Path) -> None:
    async with begun(tmp_path):
        pass
    (tmp_path / "bridge.db").write_bytes(b"")
    async with begun(tmp_path) as trail:
        assert "record 2" in trail.restored


async def test_a_migration_is_in_the_audit_and_a_new_database_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with begun(tmp_path):
        pass
    later = (*migrations("sqlite"), (NEWEST + 1, "CREATE TABLE added (a TEXT) STRICT;"))
    monkeypatch.setattr(migrating, "migrations", lambda _dialect: later)
    async with begun(tmp_path):
        pass
    assert await kinds(tmp_path) == ["started", "stopped", "started", "migrated", "stopped"]
