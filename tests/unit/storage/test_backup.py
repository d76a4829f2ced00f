"""Copies of a database file: whole, of one moment, and made without touching what they are made of."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from bridge.audit.chain import Chain, genesis, new_chain_id
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.domain.audit import Kind, Record
from bridge.domain.errors import StorageError
from bridge.storage import backup
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.transaction import Tx
from tests.bridge_bench import START


def ignore(_done: int, _total: int) -> None:
    """Nobody watches."""


async def started(path: Path) -> SqliteDatabase:
    database = await SqliteDatabase.open(path)
    database.chain(Chain.start(new_chain_id(), None))

    async def begin(tx: Tx) -> None:
        tx.record(genesis(START, None))

    await database.write(begin)
    return database


def hidden(folder: Path) -> list[Path]:
    """Temporary files that were left behind."""
    return list(folder.glob(".*"))


async def write_one(database: SqliteDatabase, detail: str = "") -> None:
    async def unit(tx: Tx) -> None:
        tx.record(Record(START, Kind.RECEIVED, detail=detail))

    await database.write(unit)


def copied(source: Path, target: Path) -> Path:
    with backup.new_file(target, replace=False) as file:
        backup.copy_file(source, file, ignore)
    return target


async def test_a_copy_made_while_a_bridge_writes_is_of_one_moment(tmp_path: Path) -> None:
    database = await started(tmp_path / "bridge.db")
    writing = True

    async def write() -> None:
        while writing:
            await asyncio.gather(*(write_one(database, "x" * 2000) for _ in range(50)))

    task = asyncio.create_task(write())
    last = 0
    for number in range(5):
        await asyncio.sleep(0.05)
        copy = await asyncio.to_thread(copied, tmp_path / "bridge.db", tmp_path / f"copy{number}.db")
        backup.require_sound(copy)
        report = await asyncio.to_thread(verify, copy, Trust(()), beside=False)
        assert report.holds
        assert report.records > last
        last = report.records
    writing = False
    await task
    await database.close()


async def test_a_copy_leaves_the_write_ahead_log_to_its_writer(tmp_path: Path) -> None:
    """Also where the copier is the last to let go of a database whose bridge has crashed."""
    database = await started(tmp_path / "bridge.db")
    for _ in range(20):
        await write_one(database)
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for name in ("bridge.db", "bridge.db-wal"):
        shutil.copyfile(tmp_path / name, crashed / name)
    await database.close()
    files = {name: (crashed / name).read_bytes() for name in ("bridge.db", "bridge.db-wal")}
    assert len(files["bridge.db-wal"]) > 0
    copy = await asyncio.to_thread(copied, crashed / "bridge.db", tmp_path / "copy.db")
    assert {name: (crashed / name).read_bytes() for name in files} == files
    assert (await asyncio.to_thread(verify, copy, Trust(()), beside=False)).records == 21


async def test_a_copy_is_one_private_file_without_a_log_of_its_own(tmp_path: Path) -> None:
    database = await started(tmp_path / "bridge.db")
    copy = copied(tmp_path / "bridge.db", tmp_path / "copy.db")
    await database.close()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert copy.read_bytes()[18:20] == b"\x01\x01"
    assert backup.leftovers(copy) == [copy]
    assert hidden(tmp_path) == []


async def test_a_file_that_is_there_is_replaced_only_if_that_is_wanted(tmp_path: Path) -> None:
    await (await started(tmp_path / "bridge.db")).close()
    target = tmp_path / "copy.db"
    target.write_text("of value")
    with pytest.raises(StorageError, match="is there already"):
        copied(tmp_path / "bridge.db", target)
    assert target.read_text() == "of value"
    with pytest.raises(RuntimeError), backup.new_file(target, replace=True):
        raise RuntimeError
    assert target.read_text() == "of value"
    with backup.new_file(target, replace=True) as file:
        backup.copy_file(tmp_path / "bridge.db", file, ignore)
    backup.require_sound(target)
    with pytest.raises(StorageError, match="is there already"), backup.new_file(tmp_path / "raced.db", replace=False):
        (tmp_path / "raced.db").write_text("somebody was faster")
    assert (tmp_path / "raced.db").read_text() == "somebody was faster"
    assert hidden(tmp_path) == []


async def test_a_copy_tells_of_what_and_of_when_it_is(tmp_path: Path) -> None:
    database = await started(tmp_path / "bridge.db")
    copy = copied(tmp_path / "bridge.db", tmp_path / "copy.db")
    by_hand = backup.note_of(copy)
    assert (by_hand.seq, by_hand.database) == (1, "")
    note = backup.take_note(copy, 123, "1.0", "bridge.db", shared=False)
    assert backup.note_of(copy) == note
    assert (note.at, note.seq, note.chain, note.hash) == (123, 1, by_hand.chain, by_hand.hash)
    assert len(note.hash) == 64
    await database.close()


async def test_a_damaged_copy_is_found_damaged(tmp_path: Path) -> None:
    database = await started(tmp_path / "bridge.db")
    for _ in range(300):
        await write_one(database, "x" * 500)
    await database.close()
    copy = copied(tmp_path / "bridge.db", tmp_path / "copy.db")
    content = bytearray(copy.read_bytes())
    page = int.from_bytes(content[16:18], "big")
    middle = len(content) // page // 2 * page
    content[middle : middle + page] = bytes(page)
    copy.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged"):
        backup.require_sound(copy)
    copy.write_bytes(content[:20_000])
    with pytest.raises(StorageError, match="is damaged"):
        backup.require_sound(copy)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "no such file"), (b"", "no database of"), (b"x" * 9999, "cannot be read")]
)
def test_what_is_no_copy_of_a_database_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "copy.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StorageError, match=says):
        backup.schema_of(path)


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("PRAGMA user_version = 1")
        connection.execute("CREATE TABLE audit (a)")
    with pytest.raises(StorageError, match="no database of alertbridge"):
        backup.schema_of(tmp_path / "other.db")


async def test_claims_of_another_life_are_void_and_what_waits_is_young_again(tmp_path: Path) -> None:
    await (await started(tmp_path / "bridge.db")).close()
    copy = copied(tmp_path / "bridge.db", tmp_path / "copy.db")
    backup.take_note(copy, 1, "1", "bridge.db", shared=False)
    columns = "id, incident, channel, receiver, reason, state, end_reason, note, created_at, due_at, attempts, counted, last_error"
    rows = [
        (1, "open", "leased", 10, 10), (2, "open", "pending", 10, 9_000), (3, "open", "parked", 10, 10),
        (4, "open", "sent", 10, 10), (5, "acknowledged", "pending", 10, 10),
    ]  # fmt: skip
    with closing(sqlite3.connect(copy)) as connection, connection:
        for number, incident, state, created, due in rows:
            connection.execute(
                f"INSERT INTO deliveries ({columns}) VALUES (?, ?, 'c', 'r', 'opened', ?, '', '', ?, ?, 0, 0, '')",
                (number, incident, state, created, due),
            )
        given = {"id": "acknowledged", "state": "acknowledged"}
        empty = {"TEXT": "", "INTEGER": 0}
        described = connection.execute("PRAGMA table_info(incidents)").fetchall()
        values = [given.get(column[1], empty[column[2]]) for column in described]
        connection.execute(f"INSERT INTO incidents VALUES ({', '.join('?' * len(values))})", values)
    backup.make_ready(copy, "restored", "{}", 500)
    with closing(sqlite3.connect(copy)) as connection:
        left = connection.execute("SELECT id, state, created_at, due_at FROM deliveries ORDER BY id").fetchall()
        names = {row[0] for row in connection.execute("SELECT name FROM meta")}
    assert left == [
        (1, "pending", 500, 10), (2, "pending", 500, 500), (3, "parked", 500, 10), (4, "sent", 10, 10), (5, "pending", 10, 10),
    ]  # fmt: skip
    assert "restored" in names
    assert "backup" not in names


@pytest.mark.parametrize("name", ["bridge.db", "bridge.db-wal", "bridge.db-shm", "bridge.db-journal"])
def test_whatever_sqlite_would_take_for_a_part_of_the_database_is_a_leftover(tmp_path: Path, name: str) -> None:
    assert backup.leftovers(tmp_path / "bridge.db") == []
    (tmp_path / name).write_text("")
    assert backup.leftovers(tmp_path / "bridge.db") == [tmp_path / name]
