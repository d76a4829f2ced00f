"""What a file must be to be opened, and what is said of one that is not."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bridge.domain.errors import StorageError
from bridge.storage import migrate as migrating
from bridge.storage.lock import FileLock
from bridge.storage.migrate import migrate
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.statements import migrations
from tests.contract.storage.units import fact, put

NEWEST = migrations("sqlite")[-1][0]


def schema(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return [*rows, ("user_version", connection.execute("PRAGMA user_version").fetchone()[0])]


async def opened(path: Path) -> SqliteDatabase:
    database = await SqliteDatabase.open(path)
    await database.close()
    return database


async def test_a_new_file_gets_the_newest_schema_and_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "var" / "deep" / "bridge.db"
    assert (await opened(path)).migrated == (0, NEWEST)
    assert ("user_version", NEWEST) in schema(path)


async def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    await opened(path)
    before = schema(path)
    assert (await opened(path)).migrated == (NEWEST, NEWEST)
    assert schema(path) == before


async def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    await opened(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = schema(path)
    with pytest.raises(StorageError, match=f"schema {NEWEST + 1}, this version knows {NEWEST}.*restore a backup"):
        await SqliteDatabase.open(path)
    assert schema(path) == before
    FileLock(path).acquire()  # nothing holds it


@pytest.mark.parametrize("fault", ["CREATE TABLE meta (name TEXT);", "INSERT INTO nowhere VALUES (1);", "gibberish;"])
async def test_a_migration_that_fails_in_the_middle_leaves_the_old_schema(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    path = tmp_path / "bridge.db"
    database = await SqliteDatabase.open(path)
    await database.write(put("a", "1"))
    await database.close()
    before = schema(path)
    script = f"CREATE TABLE added (a TEXT) STRICT;\nUPDATE meta SET value = 'changed';\n{fault}\nCREATE TABLE rest (b);"
    with monkeypatch.context() as newer:
        newer.setattr(migrating, "migrations", lambda _dialect: (*migrations("sqlite"), (NEWEST + 1, script)))
        with pytest.raises(StorageError, match=f"migration to schema {NEWEST + 1} failed, and nothing of it is kept"):
            await SqliteDatabase.open(path)
    assert schema(path) == before

    database = await SqliteDatabase.open(path)
    assert await fact(database, "a") == "1"
    await database.close()


def test_migrations_run_one_after_the_other_and_only_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = ((NEWEST + 1, "CREATE TABLE one (a) ;"), (NEWEST + 2, "CREATE TABLE two (a);"))
    with closing(sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)) as connection:
        assert migrate(connection) == (0, NEWEST)
        monkeypatch.setattr(migrating, "migrations", lambda _dialect: (*migrations("sqlite"), *later))
        assert migrate(connection) == (NEWEST, NEWEST + 2)
        assert migrate(connection) == (NEWEST + 2, NEWEST + 2)


async def test_another_programs_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "grafana.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE dashboard (id INTEGER)")
    before = schema(path)
    with pytest.raises(StorageError, match="belongs to another program"):
        await SqliteDatabase.open(path)
    assert schema(path) == before


@pytest.mark.parametrize(
    "content", [b"this is no database at all, and long enough to be one" * 100, b"SQLite format 3\0"]
)
async def test_a_file_that_is_no_database_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bridge.db"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=r"cannot use the database .*bridge\.db"):
        await SqliteDatabase.open(path)
    assert path.read_bytes() == content


async def test_a_folder_that_cannot_be_made_is_refused_and_named(tmp_path: Path) -> None:
    (tmp_path / "var").write_text("a file")
    with pytest.raises(StorageError, match=r"cannot use the database .*var/bridge\.db"):
        await SqliteDatabase.open(tmp_path / "var" / "bridge.db")


def test_the_lock_names_its_holder_and_is_freed(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    first, second = FileLock(path), FileLock(path)
    first.acquire()
    with pytest.raises(StorageError, match=rf"bridge\.db\.lock is locked by process {os.getpid()}: one bridge"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_a_link_to_the_file_is_under_the_same_lock(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "bridge.db")
    first = FileLock(tmp_path / "bridge.db")
    first.acquire()
    with pytest.raises(StorageError, match=r"bridge\.db\.lock is locked"):
        FileLock(tmp_path / "link.db").acquire()
    first.release()


def test_a_failed_write_of_the_holders_number_does_not_keep_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: the lock file itself has no room."""

    def no_room(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    lock = FileLock(tmp_path / "bridge.db")
    with monkeypatch.context() as full:
        full.setattr(os, "pwrite", no_room)
        with pytest.raises(OSError, match="No space"):
            lock.acquire()
    lock.release()
    FileLock(tmp_path / "bridge.db").acquire()


def test_a_program_that_the_bridge_started_does_not_hold_the_lock(tmp_path: Path) -> None:
    """An exec channel's program may outlive the bridge."""
    lock = FileLock(tmp_path / "bridge.db")
    lock.acquire()
    command = [sys.executable, "-c", "print('runs', flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"runs\n"
        lock.release()
        again = FileLock(tmp_path / "bridge.db")
        again.acquire()
        again.release()
        program.communicate(b"\n")
