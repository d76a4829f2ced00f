"""SQLite: one writer thread that commits in groups, with `synchronous=FULL`; readers beside it.

The writer drains what has queued into one transaction; the fsync of the commit before is the batching window, so
nothing waits on purpose. It alone checkpoints the write-ahead log, which keeps every SQLite version clear of the
WAL-reset bug (fixed in 3.51.3).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeVar

from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage.lock import FileLock
from bridge.storage.migrate import migrate
from bridge.storage.network import refuse_network
from bridge.storage.room import Room
from bridge.storage.sqlite_faults import fault_of, no_room
from bridge.storage.sqlite_group import Group, Job, Outcome
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.statements import statements
from bridge.storage.transaction import AuditSink, Expected, Unit

T = TypeVar("T")

_GROUP = 256
_CHECKPOINT_CHANGES = 5000
_CHECKPOINT_CHANGES_IN_A_LULL = 1000
_LOG_ON_A_FULL_DISK = 2**16
_CHECKPOINT_BYTES = 16 * 2**20


class SqliteDatabase:
    """An open database file of our own. `write` commits a unit; `read` runs one on a snapshot.

    `fatal` is called once, on the event loop, when the database can no longer be trusted: the process must end and
    start anew, because a failed fsync may not be tried again.
    """

    shared = False

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, fatal: Callable[[BaseException], None]) -> None:
        self.path = path
        self.name = path.name
        self._loop = loop
        self._fatal = fatal
        self._lock = FileLock(path)
        self._room = Room(path)
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._statements = statements("sqlite")
        self._sink: AuditSink | None = None
        self._closing = False
        self._broken: BaseException | None = None
        self._readers = ThreadPoolExecutor(2, "reader")
        self._local = threading.local()
        self._reader_connections: list[sqlite3.Connection] = []
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)
        self._checkpointed = 0
        self._log = Path(f"{path.resolve()}-wal")
        self._log_size = 0
        self.migrated = (0, 0)

    @classmethod
    async def open(cls, path: Path, *, fatal: Callable[[BaseException], None] = lambda _error: None) -> SqliteDatabase:
        """Lock, open, migrate and make durable the file at `path`; its folder is made if it is missing.

        Raises:
            StorageError: locked by another bridge, written by a newer version, or not usable.
        """
        database = cls(path, asyncio.get_running_loop(), fatal)
        await asyncio.to_thread(database._prepare)
        database._thread.start()
        return database

    @property
    def writer_alive(self) -> bool:
        """Whether the thread that commits is at work."""
        return self._thread.is_alive()

    def full(self) -> str:
        """Why no request may be taken; see `Database.full`."""
        return self._room.full()

    def chain(self, sink: AuditSink) -> None:
        """Where audit records go from now on. Call it before the first unit that records anything."""
        self._sink = sink

    async def write(
        self,
        unit: Unit[T],
        committed: Callable[[T], None] | None = None,
        expects: Sequence[Expected] = (),  # noqa: ARG002 - looks cost nothing here
    ) -> T:
        """Run a unit in the next group and return its result after the commit.

        A unit may run twice (when another of its group fails), so it must change nothing but the transaction. Whoever
        is cancelled while waiting withdraws a unit that has not begun. One that has begun may still be committed:
        `committed` is called with its result, on the event loop, whether or not anybody still waits.

        Raises:
            StorageBusy: not now; nothing was stored.
            StorageFatal: the database can no longer be trusted.
            Whatever the unit raises; then nothing of it was stored.
        """
        if self._broken is not None:
            raise StorageFatal("the database failed; the process is ending") from self._broken
        if self._closing:
            raise StorageBusy("the database is closing")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((unit, future, committed))
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on the last committed state, beside the writer.

        Raises:
            StorageBusy: not now.
            StorageFatal: the database can no longer be trusted.
        """
        if self._closing:
            raise StorageBusy("the database is closing")
        return await self._loop.run_in_executor(self._readers, self._read, unit)

    async def close(self) -> None:
        """Finish what is queued, checkpoint, and free the lock."""
        if self._closing:
            return
        self._closing = True
        # Readers go first: the last connection to go checkpoints, and that is for the writer alone.
        await asyncio.to_thread(self._readers.shutdown)
        for connection in self._reader_connections:
            connection.close()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._lock.release()

    def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            refuse_network(self.path.parent)
            self._lock.acquire()
            connection = self._connect()
            try:
                self.migrated = migrate(connection)
            finally:
                connection.close()
            descriptor = os.open(self.path.parent, os.O_RDONLY)  # a new file's name must survive a power cut too
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except (sqlite3.Error, OSError) as error:
            self._lock.release()
            raise StorageError(f"cannot use the database {self.path}: {error}") from error
        except StorageError:
            self._lock.release()
            raise

    def _connect(self, *, read_only: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, cached_statements=512)
        pragmas = ["busy_timeout = 10000", "foreign_keys = ON", "mmap_size = 0", "wal_autocheckpoint = 0"]
        if read_only:
            pragmas.append("query_only = ON")
        else:
            pragmas += [
                "page_size = 16384",  # for a new file: a commit costs by the page, and rows of one moment lie together
                "journal_mode = WAL",
                "synchronous = FULL",
                f"journal_size_limit = {_CHECKPOINT_BYTES}",
                "cache_size = -65536",
            ]
        try:
            for pragma in pragmas:
                connection.execute(f"PRAGMA {pragma}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _read(self, unit: Unit[T]) -> T:
        try:
            return self._read_snapshot(unit)
        except sqlite3.Error as error:
            failure = fault_of(error, reading=True)
            if failure is None:
                raise
            if isinstance(failure, StorageFatal):
                self._break(error)
            raise failure from error

    def _read_snapshot(self, unit: Unit[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(read_only=True)
            self._reader_connections.append(connection)
        connection.execute("BEGIN")
        try:
            tx = SqliteTx(connection, self._statements)
            result = drive(unit, tx)
            if tx.records:
                raise RuntimeError("a unit that only reads has an audit record to store")
            return result
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")

    def _work(self) -> None:
        try:
            with contextlib.closing(self._connect()) as connection:
                group = Group(connection, self._statements, self.path.stat())
                while True:
                    jobs, last = self._drain()
                    if jobs:
                        self._answer(self._commit(group, jobs, connection))
                        self._checkpoint(connection)
                        self._room.keep()
                    if last:
                        break
                self._empty_log(connection, "TRUNCATE")
        except Exception as error:  # noqa: BLE001 - without a writer nothing can be kept: the process must end
            self._break(error)

    def _drain(self) -> tuple[list[Job], bool]:
        """What has queued, without what nobody waits for any more; and whether it is the last."""
        first = self._queue.get()
        jobs: list[Job] = []
        while first is not None:
            if not first[1].cancelled():
                jobs.append(first)
            if len(jobs) >= _GROUP:
                return jobs, False
            try:
                first = self._queue.get_nowait()
            except Empty:
                return jobs, False
        return jobs, True

    def _commit(self, group: Group, jobs: list[Job], connection: sqlite3.Connection) -> list[Outcome]:
        if self._broken is not None:
            return [(job, None, StorageFatal("the database failed; the process is ending")) for job in jobs]
        try:
            outcomes = group.commit(jobs, self._sink)
            if any(no_room(error) for _job, _result, error in outcomes) and self._make_room(connection):
                outcomes = group.commit(jobs, self._sink)
        except Exception as error:  # noqa: BLE001 - it could not even roll back
            self._break(error)
            return self._commit(group, jobs, connection)
        fatal = next((error for _job, _result, error in outcomes if isinstance(error, StorageFatal)), None)
        if fatal is not None:
            self._break(fatal)
        return outcomes

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
            with contextlib.suppress(RuntimeError):  # the loop is gone
                self._loop.call_soon_threadsafe(self._fatal, error)

    def _answer(self, outcomes: list[Outcome]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever waited with it
            self._loop.call_soon_threadsafe(_resolve, self._loop, outcomes)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Bound the write-ahead log, in changes and in bytes: one row may be ten megabytes long.

        In a lull a smaller one is done, which whoever comes next does not notice.
        """
        size = self._size_of_log()
        self._log_size = min(self._log_size, size)
        if size > _LOG_ON_A_FULL_DISK and self._room.full():
            self._make_room(connection, ballast=False)
            return
        grown = connection.total_changes - self._checkpointed, size - self._log_size
        changes = _CHECKPOINT_CHANGES_IN_A_LULL if self._queue.empty() else _CHECKPOINT_CHANGES
        if grown[0] < changes and grown[1] < min(_CHECKPOINT_BYTES, self._room.share):
            return
        self._checkpointed = connection.total_changes
        self._empty_log(connection, "PASSIVE")
        self._log_size = self._size_of_log()

    def _make_room(self, connection: sqlite3.Connection, *, ballast: bool = True) -> bool:
        """Give up the ballast and cut the write-ahead log, which may hold a page many times; whether that freed anything."""
        before = self._size_of_log()
        gave = ballast and self._room.give()
        self._empty_log(connection, "TRUNCATE")
        self._log_size = self._size_of_log()
        self._checkpointed = connection.total_changes
        return gave or self._log_size < before

    def _empty_log(self, connection: sqlite3.Connection, mode: str) -> None:
        """Checkpoint. What cannot be moved now stays in the log, and is replayed at the next open."""
        if self._broken is not None:
            return  # a sync failed, and may not be tried again
        crashpoint("wal.checkpoint")
        try:
            connection.execute(f"PRAGMA wal_checkpoint({mode})")
        except sqlite3.Error as error:
            if isinstance(fault_of(error), StorageFatal):
                self._break(error)

    def _size_of_log(self) -> int:
        try:
            return self._log.stat().st_size
        except OSError:
            return 0


def _resolve(loop: asyncio.AbstractEventLoop, outcomes: list[Outcome]) -> None:
    for (_unit, future, committed), result, error in outcomes:
        if error is None and committed is not None:
            loop.call_soon(committed, result)
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
