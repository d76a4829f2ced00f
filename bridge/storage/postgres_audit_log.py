"""The audit log of a PostgreSQL database, for commands: one snapshot, read through cursors, on an event loop of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from bridge.domain.errors import StorageError
from bridge.storage.audit_log import AuditRow, DeliveryFact, Filter, RawRow, StoredDelivery
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_link import Link
from bridge.storage.statements import statements

_CONNECT = 10.0
_PAGE = 2000
_SNAPSHOT = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0; "
    "SET LOCAL idle_in_transaction_session_timeout = 0"
)
# The table itself is what gets judged, not what an index says of it.
_NO_INDEX = "SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off"


class PostgresAuditLog:
    """One snapshot of a PostgreSQL database. Its rows come page by page, so that memory stays bounded."""

    shared = True

    def __init__(self, runner: asyncio.Runner, link: Link) -> None:
        self._runner = runner
        self._link = link
        self._sql = statements("postgres")

    def last_seq(self) -> int:
        """The highest sequence number, 0 for an empty table."""
        return int(self._one("log_last_seq")[0])

    def raw_rows(self) -> Iterator[RawRow]:
        """Every record, by sequence number."""
        self._runner.run(self._link.script("SAVEPOINT settings"))
        try:
            self._runner.run(self._link.script(_NO_INDEX))
        except (asyncpg.PostgresError, StorageError):  # a server that has no such settings
            self._runner.run(self._link.script("ROLLBACK TO SAVEPOINT settings"))
        return self._rows("log_raw")

    def last_of(self, kind: str) -> tuple[int, str] | None:
        """The sequence number and the detail of the newest record of a kind."""
        row = self._runner.run(self._link.one(self._sql["log_last_of"], kind))
        return None if row is None else (int(row[0]), str(row[1]))

    def checkpoint_count(self) -> int:
        """How many checkpoints are stored."""
        return int(self._one("log_checkpoint_count")[0])

    def checkpoints(self) -> Iterator[tuple[int, int, str]]:
        """(id, at, note), oldest first."""
        for row in self._rows("log_checkpoints"):
            yield row[0], row[1], row[2]

    def deliveries(self) -> Iterator[StoredDelivery]:
        """Every delivery, by id."""
        for row in self._rows("log_deliveries"):
            yield StoredDelivery(*row)

    def delivery_facts(self) -> Iterator[DeliveryFact]:
        """Every record about a delivery, by delivery (as a number) and sequence number."""
        for row in self._rows("log_delivery_facts"):
            yield DeliveryFact(*row)

    def select(self, wanted: Filter) -> Iterator[AuditRow]:
        """The records a filter lets through, oldest first."""
        values = (wanted.since, list(wanted.kinds), wanted.incident, wanted.delivery)
        if wanted.limit:
            return self._rows("log_select_newest", *values, wanted.limit)
        return self._rows("log_select", *values)

    def good_files(self) -> list[tuple[str, str]]:
        """(name, text) of the configuration texts a bridge falls back to."""
        return [(row[0], row[1]) for row in self._rows("log_good_files")]

    def _one(self, name: str) -> tuple[Any, ...]:
        row = self._runner.run(self._link.one(self._sql[name]))
        return row if row is not None else (0,)

    def _rows(self, name: str, *values: object) -> Iterator[tuple[Any, ...]]:
        page = self._runner.run(self._link.pages(self._sql[name], *values))
        while rows := self._runner.run(page(_PAGE)):
            yield from rows


@contextmanager
def open_postgres_audit_log(address: Address) -> Iterator[PostgresAuditLog]:
    """A snapshot of the database, taken now.

    Raises:
        StorageError: unreachable, or no database of the bridge. Also while reading.
    """
    with asyncio.Runner() as runner:
        link = runner.run(Link.open(address, within=_CONNECT, reads=True))
        try:
            runner.run(link.script(_SNAPSHOT))
            if runner.run(link.one(statements("postgres")["schema_there"])) is None:
                raise StorageError(f"{address.name}: there are no tables of alertbridge")
            yield PostgresAuditLog(runner, link)
        except asyncpg.PostgresError as error:
            raise StorageError(f"{address.name}: cannot be read: {error}") from error
        finally:
            runner.run(link.close())
