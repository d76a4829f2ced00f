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
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage.lock import FileLock
from bridge.storage.migrate import migrate
from bridge.storage.statements import statements
from bridge.storage.transaction import AuditSink, Tx, Unit, drive

T = TypeVar("T")

_GROUP = 256
_CHECKPOINT_CHANGES = 5000
_FATAL = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN}
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM}

Job = tuple[Unit[Any], "asyncio.Future[Any]"]
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


class Database:
    """An open database file. `write` commits a unit; `read` runs one on a snapshot.

    `fatal` is called once, on the event loop, when the database can no longer be trusted: the process must end and
    start anew, because a failed fsync may not be tried again.
    """

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop, fatal: Callable[[BaseException], None]) -> None:
        self.path = path
        self._loop = loop
        self._fatal = fatal
        self._lock = FileLock(path)
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
        self.migrated = (0, 0)

    @classmethod
    async def open(cls, path: Path, *, fatal: Callable[[BaseException], None] = lambda _error: None) -> Database:
        """Lock, open, migrate and make durable the file at `path`; its folder is made if it is missing.

        Raises:
            StorageError: locked by another bridge, written by a newer version, or not usable.
        """
        database = cls(path, asyncio.get_running_loop(), fatal)
        await asyncio.to_thread(database._prepare)
        database._thread.start()
        return database

    def chain(self, sink: AuditSink) -> None:
        """Where audit records go from now on. Call it before the first unit that records anything."""
        self._sink = sink

    async def write(self, unit: Unit[T]) -> T:
        """Run a unit in the next group and return its result after the commit.

        A unit may run twice (when another of its group fails), so it must change nothing but the transaction.

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
        self._queue.put((unit, future))
        return await future

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on the last committed state, beside the writer."""
        return await self._loop.run_in_executor(self._readers, self._read, unit)

    async def close(self) -> None:
        """Finish what is queued, checkpoint, and free the lock."""
        if self._closing:
            return
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._readers.shutdown(wait=True)
        for connection in self._reader_connections:
            connection.close()
        self._lock.release()

    def _prepare(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
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
                "journal_mode = WAL",
                "synchronous = FULL",
                "journal_size_limit = 16777216",
                "cache_size = -65536",
            ]
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    def _read(self, unit: Unit[T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect(read_only=True)
            self._reader_connections.append(connection)
        connection.execute("BEGIN")
        try:
            return drive(unit, Tx(connection, self._statements))
        finally:
            connection.execute("COMMIT")

    def _work(self) -> None:
        connection = self._connect()
        try:
            while True:
                jobs, last = self._drain()
                if jobs:
                    self._answer(self._commit(connection, jobs))
                    self._checkpoint(connection)
                if last:
                    break
            if self._broken is None:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            self._translate(error)  # the log stays and is replayed at the next open
        finally:
            connection.close()

    def _drain(self) -> tuple[list[Job], bool]:
        first = self._queue.get()
        if first is None:
            return [], True
        jobs = [first]
        while len(jobs) < _GROUP:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _commit(self, connection: sqlite3.Connection, jobs: list[Job]) -> list[Outcome]:
        if self._broken is not None:
            return [
                (future, None, StorageFatal("the database failed; the process is ending")) for _unit, future in jobs
            ]
        try:
            results = self._transact(connection, [unit for unit, _future in jobs])
        except Exception as error:  # noqa: BLE001 - every failure is answered to whoever waits
            self._roll_back(connection)
            if len(jobs) > 1 and not _hopeless(error):
                return [outcome for job in jobs for outcome in self._commit(connection, [job])]
            failure = self._translate(error)
            return [(future, None, failure) for _unit, future in jobs]
        return [(future, result, None) for (_unit, future), result in zip(jobs, results, strict=True)]

    def _transact(self, connection: sqlite3.Connection, units: list[Unit[Any]]) -> list[Any]:
        connection.execute("BEGIN IMMEDIATE")
        tx = Tx(connection, self._statements)
        results = [drive(unit, tx) for unit in units]
        sealed = bool(tx.records)
        if sealed:
            if self._sink is None:
                raise RuntimeError("audit records before the chain was set")
            rows = self._sink.seal(tx.records)
            connection.executemany(self._statements["audit_append"], rows)
        connection.execute("COMMIT")
        if sealed and self._sink is not None:
            self._sink.commit()
        return results

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                self._break(error)
        if self._sink is not None:
            self._sink.rollback()

    def _translate(self, error: Exception) -> BaseException:
        if not isinstance(error, sqlite3.Error):
            return error
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _FATAL:
            self._break(error)
            failure: StorageError = StorageFatal(f"the database failed: {error}")
        elif code in _BUSY:
            failure = StorageBusy(f"the database cannot take it now: {error}")
        else:
            return error
        failure.__cause__ = error
        return failure

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
            self._loop.call_soon_threadsafe(self._fatal, error)

    def _answer(self, outcomes: list[Outcome]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is gone, and whoever waited with it
            self._loop.call_soon_threadsafe(_resolve, outcomes)

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        if connection.total_changes - self._checkpointed < _CHECKPOINT_CHANGES:
            return
        self._checkpointed = connection.total_changes
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        except sqlite3.Error as error:
            self._translate(error)


def _hopeless(error: Exception) -> bool:
    """Whether the fault is the database's, so that trying the group's units one by one would not help."""
    return isinstance(error, sqlite3.Error) and (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _FATAL | _BUSY


def _resolve(outcomes: list[Outcome]) -> None:
    for future, result, error in outcomes:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
