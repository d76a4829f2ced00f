"""Writes audit histories as a bridge does: chained records, deliveries beside them, checkpoints in between."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bridge.audit.chain import Chain, Head, SealedRow, genesis
from bridge.audit.checkpoint import Checkpoints, anchor_line, publish
from bridge.audit.pins import Trust
from bridge.domain.audit import Kind, Record
from bridge.engine.audit_retention import oldest_segment, prune
from bridge.secrets.instance import InstanceKeys
from bridge.storage.migrate import migrate
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.statements import statements

START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
ENDS = (Kind.SENT, Kind.DEAD, Kind.SUPERSEDED, Kind.CANCELLED, Kind.EXPIRED)
_SQL = statements("sqlite")


class History:
    """A database under construction. `anchors` are the log lines a bridge would have written."""

    def __init__(self, path: Path, keys: InstanceKeys) -> None:
        self.path = path
        self.keys = keys
        self.now = START
        self.anchors: list[str] = []
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = MEMORY")
        self._connection.execute("PRAGMA synchronous = OFF")
        migrate(self._connection)
        self._checkpoints = Checkpoints(keys, None)
        self._chains = 0
        self._chain = Chain("unused")
        self.last_checkpoint = 0

    @property
    def trust(self) -> Trust:
        return Trust(self.keys.verifiers)

    @property
    def head(self) -> Head:
        return self._chain.head

    def start(self) -> None:
        """A process start: a new chain."""
        previous = self._chain.head if self._chains else None
        self._chains += 1
        self._chain = Chain.start(f"chain-{self._chains}", previous)
        self.record(genesis(self.now, previous, {"version": "1"}))

    def stop(self) -> None:
        """An orderly end: `stopped`, then the last checkpoint."""
        self.record(self._fact(Kind.STOPPED))
        self.checkpoint()

    def record(self, *records: Record) -> list[SealedRow]:
        """One transaction with these records."""
        rows = self._chain.seal(records)
        self._connection.executemany(_SQL["audit_append"], rows)
        self._chain.commit()
        self.now += timedelta(seconds=1)
        return rows

    def checkpoint(self) -> str:
        note = self._checkpoints.note([self._chain.head], self.now)
        self._connection.execute(_SQL["checkpoint_add"], (_micros(self.now), note))
        self._checkpoints.committed(note)
        publish(self.path, note)
        self.anchors.append(f'{{"event": "audit checkpoint", "anchor": "{anchor_line(note)}"}}')
        self.last_checkpoint = self._chain.head.seq
        return note

    def deliver(self, *kinds: Kind) -> int:
        """A delivery whose attempts and end are these kinds; what waits at the end stays `pending`. Gives its id."""
        number = self._connection.execute(
            _SQL["delivery_add"],
            ("i1", "chat", "team", "opened", "pending", "", _micros(self.now), _micros(self.now), ""),
        ).lastrowid
        attempts = 0
        state = "pending"
        for kind in kinds:
            tried = kind in {Kind.SENT, Kind.RETRY, Kind.UNKNOWN, Kind.DEAD}
            attempts += tried
            self.record(self._fact(kind, delivery=str(number), attempt=attempts if tried else 0))
            state = kind.value if kind in ENDS else state
        ended = _micros(self.now) if state != "pending" else None
        self._connection.execute(
            "UPDATE deliveries SET state = ?, attempts = ?, ended_at = ? WHERE id = ?", (state, attempts, ended, number)
        )
        return number or 0

    def prune(self, cutoff: datetime) -> bool:
        """What retention does in one transaction; whether there was anything to prune."""
        tx = SqliteTx(self._connection, _SQL)
        segment = drive(lambda tx: oldest_segment(tx, cutoff), tx)
        if segment is None:
            return False
        assert drive(lambda tx: prune(tx, segment, self.now, self.keys, shared=False), tx)
        self.record(*tx.records)
        return True

    def live(self, rng: random.Random, events: int, *, every: int = 10) -> None:
        """Some business, with a checkpoint about every so many records."""
        for _ in range(events):
            if rng.random() < 0.4:
                tries = [rng.choice([Kind.RETRY, Kind.UNKNOWN]) for _ in range(rng.randrange(3))]
                self.deliver(*tries, *([rng.choice(ENDS)] if rng.random() < 0.9 else []))
            else:
                self.record(
                    self._fact(rng.choice([Kind.RECEIVED, Kind.OPENED, Kind.SUPPRESSED]), detail=f"{rng.random()}")
                )
            if self.head.seq - self.last_checkpoint >= every:
                self.checkpoint()

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """For what no bridge does."""
        return self._connection.execute(statement, values).fetchall()

    def close(self) -> None:
        self._connection.close()

    def _fact(self, kind: Kind, *, delivery: str = "", attempt: int = 0, detail: str = "") -> Record:
        return Record(
            at=self.now, kind=kind, source="prometheus", incident="i1", delivery=delivery, channel="chat",
            attempt=attempt, reason="reason", digest="d" * 64, detail=detail,
        )  # fmt: skip


def rehash(connection: sqlite3.Connection, rows: Iterable[SealedRow]) -> list[SealedRow]:
    """What a forger writes: the same rows with hashes that fit each other, so far as he need not sign."""
    forged: list[SealedRow] = []
    chain = Chain("unused")
    for seq, name, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, _hash in rows:
        if not forged or forged[-1][1] != name:
            before = forged[-1] if forged else _before(connection, seq)
            same = before is not None and before[1] == name
            if kind == "started" and not same:
                previous = Head(before[1], before[0], before[-1]) if before else None
                detail = genesis(START, previous, {"version": "1"}).detail  # noqa: PLW2901 - the forger's hand
            chain = Chain(name, seq - 1, before[-1]) if same and before else Chain(name, seq - 1)
        record = Record(
            at=START + timedelta(microseconds=at - _micros(START)), kind=kind, actor=actor, source=source,
            incident=incident, delivery=delivery, channel=channel, attempt=attempt, reason=reason, digest=digest,
            detail=detail,
        )  # fmt: skip
        forged += chain.seal([record])
        chain.commit()
    return forged


def all_rows(connection: sqlite3.Connection, since: int = 0) -> list[SealedRow]:
    return connection.execute("SELECT * FROM audit WHERE seq >= ? ORDER BY seq", (since,)).fetchall()


def replace_rows(connection: sqlite3.Connection, since: int, rows: Iterable[SealedRow]) -> None:
    connection.execute("DELETE FROM audit WHERE seq >= ?", (since,))
    connection.executemany(_SQL["audit_append"], rows)


def _before(connection: sqlite3.Connection, seq: int) -> SealedRow | None:
    row: SealedRow | None = connection.execute("SELECT * FROM audit WHERE seq = ?", (seq - 1,)).fetchone()
    return row


def _micros(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
