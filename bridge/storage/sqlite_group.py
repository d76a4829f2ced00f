"""One transaction for a group of units, so that one fsync serves them all; a unit that fails takes no other with it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bridge.domain.errors import StorageFatal
from bridge.storage.sqlite_faults import fault_of
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.sqlite_waiting import Waiting, known, send_rows
from bridge.storage.transaction import AuditSink, Unit

Job = tuple[Unit[Any], "asyncio.Future[Any]", Callable[[Any], None] | None]
"""A unit, who waits for it, and what is called once it is committed."""

Outcome = tuple[Job, Any, BaseException | None]


class Group:
    """Commits groups on the writer's connection. `file` is what was opened under the connection's name."""

    def __init__(self, connection: sqlite3.Connection, statements: dict[str, str], file: os.stat_result) -> None:
        self._connection = connection
        self._statements = statements
        self._file = (file.st_dev, file.st_ino)
        self._path = Path(connection.execute("PRAGMA database_list").fetchone()[2])

    def commit(self, jobs: list[Job], sink: AuditSink | None) -> list[Outcome]:
        """Commit what can be committed; the outcome of each unit that somebody still waits for, in order.

        The whole group first, in one go. If a unit fails, again with a savepoint round each, which costs one commit
        more and not one a unit. If even that fails though the storage is sound, one by one.
        """
        try:
            return self._whole(jobs, sink)
        except BaseException as error:  # noqa: BLE001 - a unit may raise anything, and whoever waits must hear of it
            self._roll_back(sink)
            if len(jobs) == 1 or fault_of(error) is not None:
                return _failed(jobs, error)
        try:
            return self._apart(jobs, sink)
        except BaseException as error:  # noqa: BLE001 - as above
            self._roll_back(sink)
            if fault_of(error) is not None:
                return _failed(jobs, error)
        return [outcome for job in jobs for outcome in self.commit([job], sink)]

    def _whole(self, jobs: list[Job], sink: AuditSink | None) -> list[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        waiting = Waiting(self._connection)
        tx = SqliteTx(self._connection, self._statements, waiting)
        outcomes: list[Outcome] = [(job, drive(job[0], tx), None) for job in jobs if _wanted(job)]
        waiting.send_all()
        self._finish(tx, sink)
        return outcomes

    def _apart(self, jobs: list[Job], sink: AuditSink | None) -> list[Outcome]:
        self._connection.execute("BEGIN IMMEDIATE")
        tx = SqliteTx(self._connection, self._statements)
        outcomes = [self._one(job, tx) for job in jobs if _wanted(job)]
        self._finish(tx, sink)
        return outcomes

    def _one(self, job: Job, tx: SqliteTx) -> Outcome:
        records = len(tx.records)
        self._connection.execute("SAVEPOINT unit")
        try:
            result = drive(job[0], tx)
        except BaseException as error:
            if fault_of(error) is not None or not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO unit")
            self._connection.execute("RELEASE unit")
            del tx.records[records:]
            return job, None, _plain(error)
        self._connection.execute("RELEASE unit")
        return job, result, None

    def _finish(self, tx: SqliteTx, sink: AuditSink | None) -> None:
        if tx.records:
            if sink is None:
                raise RuntimeError("audit records before the chain was set")
            send_rows(self._connection, known().additions["audit_append"], sink.seal(tx.records))
        self._require_the_file()
        self._connection.execute("COMMIT")
        if tx.records and sink is not None:
            sink.commit()

    def _require_the_file(self) -> None:
        """SQLite would go on writing to a file that was deleted or moved away: accepted, and gone at the next start."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self._file:
            raise StorageFatal(f"the database file {self._path} was moved, replaced or deleted while it was in use")

    def _roll_back(self, sink: AuditSink | None) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        if sink is not None:
            sink.rollback()


def _wanted(job: Job) -> bool:
    """Whether somebody still waits: the transaction may have had to wait long for a lock."""
    return not job[1].cancelled()


def _failed(jobs: list[Job], error: BaseException) -> list[Outcome]:
    failure = fault_of(error) or _plain(error)
    return [(job, None, failure) for job in jobs]


def _plain(error: BaseException) -> Exception:
    """What whoever waits is told. SystemExit or CancelledError of a unit must not end the loop that awaits it."""
    if isinstance(error, Exception):
        return error
    failure = RuntimeError(f"a unit of work raised {type(error).__name__}")
    failure.__cause__ = error
    return failure
