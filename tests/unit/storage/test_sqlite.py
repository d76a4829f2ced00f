"""How SQLite is used: durability, groups, checkpoints, and what its errors mean for whoever waits."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bridge.domain.audit import Kind, Record
from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage import journal
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.sqlite_faults import fault_of
from bridge.storage.transaction import Tx
from tests.contract.storage.units import NOW, chained, details, fact, poison, put, together
from tests.unit.storage.spying import Spy

MIB = 2**20


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    return Spy(monkeypatch)


@pytest.fixture
def failures() -> list[BaseException]:
    """What the database called fatal."""
    return []


@pytest.fixture
async def database(tmp_path: Path, failures: list[BaseException], spy: Spy) -> AsyncIterator[SqliteDatabase]:
    opened = await SqliteDatabase.open(tmp_path / "bridge.db", fatal=failures.append)
    yield opened
    await opened.close()


def keep(body: bytes) -> Callable[[Tx], object]:
    async def unit(tx: Tx) -> int:
        return await journal.add(tx, "s", NOW, "", body, "", planned=True)

    return unit


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("journal_mode", "wal"),
        ("synchronous", 2),
        ("wal_autocheckpoint", 0),
        ("foreign_keys", 1),
        ("busy_timeout", 10000),
        ("journal_size_limit", 16 * MIB),
    ],
)
async def test_the_writer_is_durable(database: SqliteDatabase, spy: Spy, pragma: str, value: object) -> None:
    await database.write(put("a", "1"))
    assert spy.writer is not None
    assert spy.writer.execute(f"PRAGMA {pragma}").fetchone()[0] == value


async def test_five_hundred_writes_at_once_take_a_few_transactions(database: SqliteDatabase, spy: Spy) -> None:
    spy.statements.clear()
    await together(*(database.write(put(f"n{n}", "1")) for n in range(500)))
    assert spy.count("COMMIT") <= 10


async def test_units_that_fail_cost_one_more_transaction_and_not_one_a_unit(database: SqliteDatabase, spy: Spy) -> None:
    """Somebody who asks for what does not exist must not slow down the alerts that share his group."""
    chained(database)
    spy.statements.clear()
    await together(*(database.write(poison("bad") if n % 10 == 5 else put(f"n{n}", "1")) for n in range(200)))
    assert spy.count("COMMIT") <= 10
    assert await fact(database, "n199") == "1"


async def test_only_the_writer_commits_and_checkpoints(database: SqliteDatabase, spy: Spy) -> None:
    await together(*(database.write(keep(b"x" * 100)) for _ in range(12_000)))
    await together(*(fact(database, "a") for _ in range(10)))
    await database.close()

    assert spy.who("INTO requests") == {"writer"}
    assert spy.who("wal_checkpoint(PASSIVE)") == {"writer"}
    assert spy.who("wal_checkpoint(TRUNCATE)") == {"writer"}
    assert spy.who("SELECT value FROM meta") == {"reader"}


async def test_the_write_ahead_log_stays_small_however_many_rows(database: SqliteDatabase, tmp_path: Path) -> None:
    log, largest = tmp_path / "bridge.db-wal", 0
    for _round in range(25):
        await together(*(database.write(keep(b"x" * 200)) for _ in range(2000)))
        largest = max(largest, log.stat().st_size)
    assert largest < 20 * MIB
    await database.close()
    assert not log.exists() or log.stat().st_size == 0


async def test_the_write_ahead_log_stays_small_however_large_the_rows(database: SqliteDatabase, tmp_path: Path) -> None:
    log, largest = tmp_path / "bridge.db-wal", 0
    for _row in range(100):
        await database.write(keep(bytes(MIB)))
        largest = max(largest, log.stat().st_size)
    assert largest < 40 * MIB


async def test_a_log_that_was_not_emptied_is_replayed(tmp_path: Path) -> None:
    """As after a crash: the files are copied while they are open."""
    database = await SqliteDatabase.open(tmp_path / "bridge.db")
    try:
        await database.write(put("a", "1"))
        crashed = tmp_path / "crashed"
        crashed.mkdir()
        for name in ("bridge.db", "bridge.db-wal"):
            (crashed / name).write_bytes((tmp_path / name).read_bytes())
    finally:
        await database.close()
    reopened = await SqliteDatabase.open(crashed / "bridge.db")
    try:
        assert await fact(reopened, "a") == "1"
    finally:
        await reopened.close()


async def test_a_full_disk_is_busy_and_passes_by_itself(
    database: SqliteDatabase, spy: Spy, failures: list[BaseException]
) -> None:
    chain = chained(database)
    await database.write(put("a", "1", record=True))
    assert spy.writer is not None
    pages = spy.writer.execute("PRAGMA page_count").fetchone()[0]
    spy.writer.execute(f"PRAGMA max_page_count = {pages}")

    async def large(tx: Tx) -> None:
        tx.record(Record(NOW, Kind.RECEIVED, detail="x" * 100_000))

    full = await together(*(database.write(large) for _ in range(5)))
    assert [type(result) for result in full] == [StorageBusy] * 5

    spy.writer.execute(f"PRAGMA max_page_count = {2**30}")
    await database.write(keep(bytes(100_000)))
    await database.write(put("b", "1", record=True))
    assert await details(database) == ["a", "b"]
    assert chain.head.seq == 2
    assert failures == []


async def test_a_database_locked_from_outside_is_busy_and_never_an_error_of_the_unit(
    database: SqliteDatabase, spy: Spy, tmp_path: Path, failures: list[BaseException]
) -> None:
    await database.write(put("a", "1"))
    assert spy.writer is not None
    spy.writer.execute("PRAGMA busy_timeout = 50")
    outside = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    results = await together(*(database.write(put("b", "1")) for _ in range(3)))
    outside.execute("ROLLBACK")
    outside.close()

    assert [type(result) for result in results] == [StorageBusy] * 3
    assert await database.write(put("b", "1")) == "b"
    assert failures == []


async def test_who_gave_up_while_the_writer_waited_for_a_lock_has_nothing_stored(
    database: SqliteDatabase, spy: Spy, tmp_path: Path
) -> None:
    """His sender was told to try again, and must not be taken for a repeat then."""
    outside = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None)
    outside.execute("BEGIN IMMEDIATE")
    spy.statements.clear()
    waiting = asyncio.create_task(database.write(put("a", "1")))
    await asyncio.to_thread(spy.wait_for, "BEGIN IMMEDIATE")
    waiting.cancel()
    await together(waiting)
    outside.execute("ROLLBACK")
    outside.close()
    await database.write(put("b", "1"))
    assert await fact(database, "a") is None


@pytest.mark.parametrize("how", ["deleted", "replaced"])
async def test_a_file_that_is_gone_takes_no_more_alerts(
    tmp_path: Path, database: SqliteDatabase, failures: list[BaseException], how: str
) -> None:
    """SQLite would write on into a file that nobody finds again at the next start."""
    await database.write(put("a", "1"))
    if how == "replaced":
        (tmp_path / "other").write_bytes((tmp_path / "bridge.db").read_bytes())
        (tmp_path / "other").replace(tmp_path / "bridge.db")
    else:
        (tmp_path / "bridge.db").unlink()
    with pytest.raises(StorageFatal, match="moved, replaced or deleted"):
        await database.write(put("b", "1"))
    with pytest.raises(StorageFatal):
        await database.write(put("c", "1"))
    assert len(failures) == 1


async def test_a_reader_that_finds_damage_says_so_once_and_as_the_storages_error(
    database: SqliteDatabase, failures: list[BaseException]
) -> None:
    """Loops catch StorageError; a bare sqlite3.Error would end them."""

    async def damaged(tx: Tx) -> None:
        del tx
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        raise error

    for _again in range(2):
        with pytest.raises(StorageFatal):
            await database.read(damaged)
    await asyncio.sleep(0)
    assert len(failures) == 1
    with pytest.raises(StorageFatal):
        await database.write(put("a", "1"))


async def test_a_reader_for_whom_there_is_no_descriptor_left_is_busy(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, failures: list[BaseException]
) -> None:
    def no_more(*_arguments: object, **_options: object) -> sqlite3.Connection:
        error = sqlite3.OperationalError("unable to open database file")
        error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", no_more)
        with pytest.raises(StorageBusy):
            await fact(database, "a")
    assert await fact(database, "a") is None
    assert failures == []


@pytest.mark.parametrize(
    ("code", "reading", "fault"),
    [
        (sqlite3.SQLITE_IOERR_FSYNC, False, StorageFatal),
        (sqlite3.SQLITE_IOERR_WRITE, False, StorageFatal),
        (sqlite3.SQLITE_IOERR_READ, True, StorageFatal),
        (sqlite3.SQLITE_CORRUPT, True, StorageFatal),
        (sqlite3.SQLITE_NOTADB, False, StorageFatal),
        (sqlite3.SQLITE_READONLY, False, StorageFatal),
        (sqlite3.SQLITE_READONLY, True, None),
        (sqlite3.SQLITE_CANTOPEN, False, StorageFatal),
        (sqlite3.SQLITE_CANTOPEN, True, StorageBusy),
        (sqlite3.SQLITE_FULL, False, StorageBusy),
        (sqlite3.SQLITE_IOERR_SHMSIZE, False, StorageBusy),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, False, StorageBusy),
        (sqlite3.SQLITE_LOCKED, True, StorageBusy),
        (sqlite3.SQLITE_NOMEM, False, StorageBusy),
        (sqlite3.SQLITE_CONSTRAINT_UNIQUE, False, None),
        (sqlite3.SQLITE_ERROR, False, None),
    ],
)
def test_each_error_of_sqlite_has_one_meaning(code: int, reading: bool, fault: type[StorageError] | None) -> None:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    found = fault_of(error, reading=reading)
    assert (type(found) if found else None) is fault
    if found is not None:
        assert found.__cause__ is error
        assert "as SQLite says it" in str(found)


async def test_after_a_failed_sync_nothing_is_synced_again(database: SqliteDatabase, spy: Spy, tmp_path: Path) -> None:
    """The kernel may have dropped the pages and say "done" the second time: no commit, no checkpoint, no waiting."""
    await database.write(put("a", "1"))
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
    results = await together(
        database.write(poison("bad", error)), *(database.write(put(f"n{n}", "1")) for n in range(9000))
    )
    assert {type(result) for result in results} == {StorageFatal}
    spy.statements.clear()
    await database.close()
    assert spy.who("checkpoint") == set()
    assert spy.count("COMMIT") == 0


async def test_a_writer_that_cannot_begin_ends_the_process_instead_of_keeping_everybody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    opened = []

    def second_time_not(path: Path, **options: object) -> sqlite3.Connection:
        opened.append(path)
        if len(opened) > 1:
            raise sqlite3.OperationalError("unable to open database file")
        connection: sqlite3.Connection = connect(path, **options)
        return connection

    monkeypatch.setattr(sqlite3, "connect", second_time_not)
    fatal = asyncio.Event()
    database = await SqliteDatabase.open(tmp_path / "bridge.db", fatal=lambda _error: fatal.set())
    await asyncio.wait_for(fatal.wait(), 30)
    with pytest.raises(StorageFatal):
        await database.write(put("a", "1"))
    await database.close()
