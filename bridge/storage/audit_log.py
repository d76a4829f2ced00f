"""What is read straight from a database, beside a running bridge or without one.

Of a file, every read happens in one snapshot, on a connection of its own that cannot write. `NOT INDEXED` keeps SQLite from
answering out of an index: the table itself is what gets judged.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from msgspec import Struct

from bridge.domain.errors import StorageError
from bridge.storage.postgres_address import Address

AuditRow = tuple[Any, ...]
"""(seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash)."""

RawRow = tuple[Any, ...]
"""(seq, at, attempt, hash, chain, kind, actor, source, incident, delivery, channel, reason, digest, detail), texts as the
bytes that are stored, whatever they are."""

_COLUMNS = "seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash"

_HISTORY = "SELECT 1 FROM meta WHERE name = 'shared_history'"
_TEXTS = ("chain", "kind", "actor", "source", "incident", "delivery", "channel", "reason", "digest", "detail")
_RAW = ", ".join(["seq", "at", "attempt", "hash", *(f"CAST({column} AS BLOB)" for column in _TEXTS)])


class Filter(Struct, frozen=True):
    """Which records are wanted. Empty text means any; `since` is in µs since 1970, `limit` (0: none) takes the newest."""

    since: int = -(1 << 63)
    kinds: tuple[str, ...] = ()
    incident: str = ""
    delivery: str = ""
    limit: int = 0


class StoredDelivery(Struct, frozen=True, gc=False):
    """A delivery as far as the audit log must agree with it."""

    id: int
    state: str
    attempts: int


class DeliveryFact(Struct, frozen=True, gc=False):
    """A record about a delivery; `delivery` is the text as stored."""

    delivery: str
    seq: int
    kind: str
    attempt: int


class AuditLog(Protocol):
    """One snapshot of a database. `shared`: several bridges may have written to it at the same time."""

    @property
    def shared(self) -> bool: ...
    def last_seq(self) -> int:
        """The highest sequence number, 0 for an empty table."""
        ...

    def raw_rows(self) -> Iterator[RawRow]:
        """Every record, by sequence number."""
        ...

    def last_of(self, kind: str) -> tuple[int, str] | None:
        """The sequence number and the detail of the newest record of a kind."""
        ...

    def checkpoint_count(self) -> int:
        """How many checkpoints are stored."""
        ...

    def checkpoints(self) -> Iterator[tuple[int, int, str]]:
        """(id, at, note), oldest first."""
        ...

    def deliveries(self) -> Iterator[StoredDelivery]:
        """Every delivery, by id."""
        ...

    def delivery_facts(self) -> Iterator[DeliveryFact]:
        """Every record about a delivery, by delivery (as a number) and sequence number."""
        ...

    def select(self, wanted: Filter) -> Iterator[AuditRow]:
        """The records a filter lets through, oldest first."""
        ...

    def good_files(self) -> list[tuple[str, str]]:
        """(name, text) of the configuration texts a bridge falls back to."""
        ...


class SqliteAuditLog:
    """One snapshot of a database file. `shared` if its history is that of a server's database, from which it was copied."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.shared = connection.execute(_HISTORY).fetchone() is not None

    def last_seq(self) -> int:
        """The highest sequence number, 0 for an empty table."""
        return int(self._connection.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()[0])

    def raw_rows(self) -> Iterator[RawRow]:
        """Every record, by sequence number."""
        return iter(self._connection.execute(f"SELECT {_RAW} FROM audit NOT INDEXED ORDER BY seq"))  # noqa: S608 - constants

    def last_of(self, kind: str) -> tuple[int, str] | None:
        """The sequence number and the detail of the newest record of a kind."""
        statement = "SELECT seq, detail FROM audit NOT INDEXED WHERE kind = ? ORDER BY seq DESC LIMIT 1"
        row = self._connection.execute(statement, (kind,)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def checkpoint_count(self) -> int:
        """How many checkpoints are stored."""
        return int(self._connection.execute("SELECT count(*) FROM audit_checkpoints").fetchone()[0])

    def checkpoints(self) -> Iterator[tuple[int, int, str]]:
        """(id, at, note), oldest first."""
        yield from self._connection.execute("SELECT id, at, note FROM audit_checkpoints ORDER BY id")

    def deliveries(self) -> Iterator[StoredDelivery]:
        """Every delivery, by id."""
        statement = "SELECT id, state, attempts FROM deliveries NOT INDEXED ORDER BY id"
        for row in self._connection.execute(statement):
            yield StoredDelivery(*row)

    def delivery_facts(self) -> Iterator[DeliveryFact]:
        """Every record about a delivery, by delivery (as a number) and sequence number."""
        statement = (
            "SELECT delivery, seq, kind, attempt FROM audit NOT INDEXED WHERE delivery <> '' "
            "ORDER BY CAST(delivery AS INTEGER), delivery, seq"
        )
        for row in self._connection.execute(statement):
            yield DeliveryFact(*row)

    def select(self, wanted: Filter) -> Iterator[AuditRow]:
        """The records a filter lets through, oldest first."""
        conditions, values = ["at >= ?"], [wanted.since]
        parameters: list[str | int] = [*values]
        if wanted.kinds:
            conditions.append(f"kind IN ({', '.join('?' * len(wanted.kinds))})")
            parameters += wanted.kinds
        for column, value in (("incident", wanted.incident), ("delivery", wanted.delivery)):
            if value:
                conditions.append(f"{column} = ?")
                parameters.append(value)
        where = " AND ".join(conditions)
        statement = f"SELECT {_COLUMNS} FROM audit WHERE {where} ORDER BY seq"  # noqa: S608 - constants
        if wanted.limit:
            statement = f"SELECT * FROM ({statement} DESC LIMIT ?) ORDER BY seq"  # noqa: S608 - constants
            parameters.append(wanted.limit)
        yield from self._connection.execute(statement, parameters)

    def good_files(self) -> list[tuple[str, str]]:
        """(name, text) of the configuration texts a bridge falls back to."""
        return self._connection.execute("SELECT path, text FROM good_files ORDER BY path").fetchall()


@contextmanager
def open_audit_log(database: Path | Address) -> Iterator[AuditLog]:
    """A snapshot of the database file or of the database on a server, taken now.

    Raises:
        StorageError: it is not there, not readable, or no database of the bridge. Also while reading.
    """
    if isinstance(database, Address):
        from bridge.storage.postgres_audit_log import open_postgres_audit_log

        with open_postgres_audit_log(database) as log:
            yield log
        return
    if not database.is_file():
        raise StorageError(f"{database}: there is no database")
    try:
        with closing(connect_to_read(database)) as connection:
            yield SqliteAuditLog(connection)
    except sqlite3.Error as error:
        raise StorageError(f"{database}: cannot be read: {error}") from error


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, with a snapshot taken now.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, isolation_level=None)
    connection.text_factory = lambda stored: stored.decode("utf-8", "replace")  # a tampered text must not stop a reader
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # takes the snapshot
    except sqlite3.Error:
        connection.close()
        raise
    return connection
