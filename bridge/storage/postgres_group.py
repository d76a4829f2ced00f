"""One transaction for a group of units: one turn, one commit. A unit that fails takes no other with it.

A group begins by locking the one row of `turn`. Whoever holds it is alone in writing, on however many bridges, so that
units are as totally ordered as with SQLite's one writer.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from asyncpg import QueryCanceledError
from msgspec import Struct

from bridge.domain.audit import Record
from bridge.domain.errors import StorageBusy, StorageError
from bridge.storage.postgres_faults import Contended, Lost
from bridge.storage.postgres_link import IDLE, Link
from bridge.storage.postgres_statements import Look, known_statements
from bridge.storage.postgres_transaction import PostgresTx, UnitFailed, drive, storable
from bridge.storage.transaction import AuditSink, Expected, Row, Unit, Value

Job = tuple[Unit[Any], "asyncio.Future[Any]", Callable[[Any], None] | None, Sequence[Expected]]
"""A unit, who waits for it, what is called once it is committed, and what it will probably look at."""

Outcome = tuple[Job, Any, BaseException | None]

CHANNEL = "alertbridge"
GROUP = 5.0
"""Seconds for all of a group but its commit."""

_LOOK = 0.001
"""Seconds more for each look that a unit announced: a request of many thousand alerts is planned in one piece, here."""

_MANY = 1000
"""So many looks take longer than a transaction may idle on the server."""

COMMIT = 5.0
_SLICE = 1.0
"""Seconds after which a group takes no further unit: others wait for the turn."""

_CONTENDED = 3
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_COLUMNS = 14


class Mark(Struct, frozen=True):
    """What can be found of a group that was perhaps committed: its name, and its last audit record (seq, chain, hash)."""

    name: str
    before: tuple[int, int, str]
    record: tuple[int, str, bytes] | None


class InDoubt(StorageBusy):
    """The connection was lost during the commit. Nobody knows whether it came to be."""

    def __init__(self, message: str, mark: Mark, outcomes: list[Outcome], tx: PostgresTx) -> None:
        super().__init__(message)
        self.mark = mark
        self.outcomes = outcomes
        self.tx = tx


class Group:
    """Commits groups on the writer's connection. `name` is this database object's, for its hints to others."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sink: AuditSink | None = None
        self.renew = False
        """The next record begins a new chain: nobody knows whether the last ones were stored."""
        self.hints = False
        """Whether the server is known to pass notices on: one that has no NOTIFY would fail the whole group."""
        self._statements = known_statements()

    async def commit(self, link: Link, jobs: list[Job]) -> tuple[list[Outcome], list[Job]]:
        """Commit what can be committed; the outcome of each unit that somebody still waits for, and the units not begun.

        The whole group first, in one go. If a unit fails, again with a savepoint round each. If even that fails though
        the storage is sound, one by one.

        Raises:
            InDoubt: nobody knows whether it was committed.
            StorageError: nothing was.
        """
        try:
            return await self._insist(link, jobs, apart=False)
        except UnitFailed as failed:
            if len(jobs) == 1:
                return [(jobs[0], None, failed.told)], []
        try:
            return await self._insist(link, jobs, apart=True)
        except UnitFailed:
            first, *others = jobs
            outcomes, _none = await self.commit(link, [first])
            return outcomes, others

    async def _insist(self, link: Link, jobs: list[Job], *, apart: bool) -> tuple[list[Outcome], list[Job]]:
        tries = 0
        while True:
            try:
                return await self._once(link, jobs, apart=apart)
            except Contended:
                tries += 1
                if tries == _CONTENDED:
                    raise

    async def _once(self, link: Link, jobs: list[Job], *, apart: bool) -> tuple[list[Outcome], list[Job]]:
        loop = asyncio.get_running_loop()
        outcomes: list[Outcome] = []
        begun = 0
        looks = max(len(job[3]) for job in jobs)
        try:
            with link.within(GROUP + _LOOK * looks):
                await link.script(_begin(looks))
                turn = await link.one(self._statements["turn_take"].text)
                if turn is None:
                    raise Lost("the database has lost its table `turn`")  # noqa: TRY301 - as any loss
                tx = PostgresTx(link, self._statements, turn[0])
                await self._foresee(link, tx, jobs)
                end = loop.time() + _SLICE
                for job in jobs:
                    if begun and loop.time() > end:
                        break
                    begun += 1
                    if not job[1].cancelled():
                        outcomes.append(
                            await self._apart(link, job, tx) if apart else (job, await drive(job[0], tx), None)
                        )
                rows = await self._seal(link, tx, turn[1])
            await self._finish(link, tx, turn, rows, outcomes)
        except InDoubt:
            raise
        except UnitFailed as failed:
            await self._roll_back(link)
            if isinstance(failed.error, StorageError):
                raise failed.error from failed
            raise
        except BaseException:
            await self._roll_back(link)
            raise
        return outcomes, jobs[begun:]

    async def _foresee(self, link: Link, tx: PostgresTx, jobs: list[Job]) -> None:
        """Make the looks that units of the group will probably make: all of one statement in one round trip."""
        expected: dict[str, dict[tuple[Value, ...], list[Row]]] = {}
        for job in jobs:
            for name, values in job[3]:
                expected.setdefault(name, {})[tuple(map(storable, values))] = []
        for name, found in expected.items():
            statement = self._statements[name]
            if statement.look is None or not statement.look.single or not statement.parameters:
                continue
            looks = list(found)
            columns = map(list, zip(*looks, strict=True))
            text = await link.variant((statement.text,), partial(_ahead, statement.look))
            for row in await link.all(text, *columns):
                found[looks[row[-1] - 1]].append(tuple(row)[:-1])
            tx.foreseen.update({(name, values): rows for values, rows in found.items()})

    async def _apart(self, link: Link, job: Job, tx: PostgresTx) -> Outcome:
        """One unit within a savepoint; what it added is sent before the next one begins, so that it fails alone."""
        records, next_id = len(tx.records), tx.next_id
        await link.script("SAVEPOINT unit")
        try:
            result = await drive(job[0], tx)
            await self._flush(tx)
        except UnitFailed as failed:
            if isinstance(failed.error, StorageError):
                raise
            await link.script("ROLLBACK TO SAVEPOINT unit; RELEASE SAVEPOINT unit")
            tx.forget()
            del tx.records[records:]
            tx.next_id = next_id
            return job, None, failed.told
        await link.script("RELEASE SAVEPOINT unit")
        return job, result, None

    async def _flush(self, tx: PostgresTx) -> None:
        try:
            await tx.flush()
        except StorageError:
            raise
        except Exception as error:
            raise UnitFailed(error) from error

    async def _seal(self, link: Link, tx: PostgresTx, next_seq: int) -> Sequence[Sequence[Value]]:
        """Everything that waits, and the audit records; gives their rows."""
        await self._flush(tx)
        if not tx.records:
            return ()
        if self.sink is None:
            raise UnitFailed(RuntimeError("audit records before the chain was set"))
        records = [_storable(record) for record in tx.records]
        try:
            if self.renew:
                newest = await link.one(self._statements["audit_newest"].text)
                records.insert(0, self.sink.renew(records[0].at, None if newest is None else tuple(newest)))
            rows = self.sink.seal(records, after=next_seq - 1)
        except StorageError:
            raise
        except Exception as error:
            raise UnitFailed(error) from error
        columns = [[row[column] for row in rows] for column in range(_COLUMNS)]
        await link.run(self._statements["audit_append"].text, *columns)
        tx.wrote = True
        return rows

    async def _finish(
        self, link: Link, tx: PostgresTx, turn: Sequence[Any], rows: Sequence[Sequence[Value]], outcomes: list[Outcome]
    ) -> None:
        name = secrets.token_hex(16)
        script = "COMMIT"
        if tx.wrote:
            script = f"{self._give(tx.next_id or turn[0], turn[1] + len(rows), name)}; {script}"
        if tx.hinted and self.hints:
            script = f"NOTIFY {CHANNEL}, '{self.name}'; {script}"
        link.warnings.clear()
        try:
            with link.within(COMMIT):
                tag = await link.script(script)
        except Contended:
            raise  # rolled back, by the server's own word
        except StorageError as error:
            if tx.wrote and (link.closed or isinstance(error, Lost) or isinstance(error.__cause__, QueryCanceledError)):
                raise InDoubt(str(error), _mark(name, turn, rows), outcomes, tx) from error
            raise
        if tx.wrote and tag != "COMMIT":
            raise StorageBusy(f"the database did not commit: {tag}")
        if tx.wrote and link.warnings:  # that it did not wait for its standby
            raise InDoubt(link.warnings[0], _mark(name, turn, rows), outcomes, tx)
        if rows and self.sink is not None:
            self.sink.commit()
            self.renew = False

    def _give(self, next_id: int, next_seq: int, name: str) -> str:
        text = self._statements["turn_give"].text
        return text.replace("$1", str(next_id)).replace("$2", str(next_seq)).replace("$3", f"'{name}'")

    async def _roll_back(self, link: Link) -> None:
        if self.sink is not None:
            self.sink.rollback()
        if link.closed:
            return
        try:
            with link.within(1.0):
                await link.script("ROLLBACK")
        except Exception:  # noqa: BLE001 - whatever it is, the connection is of no more use
            link.cut()


def _begin(looks: int) -> str:
    """The server ends a transaction that idles; planning very much it does for longer than usual."""
    if looks < _MANY:
        return _BEGIN
    return f"{_BEGIN}; SET LOCAL idle_in_transaction_session_timeout = {round(1000 * (IDLE + _LOOK * looks))}"


def _ahead(look: Look, types: Sequence[Sequence[str]]) -> str:
    return look.ahead(types[0])


def _mark(name: str, turn: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Mark:
    last = rows[-1] if rows else None
    return Mark(name, (turn[0], turn[1], turn[2]), None if last is None else (last[0], last[1], last[13]))


def _storable(record: Record) -> Record:
    """A record as it can be stored: what is chained must be what is read back."""
    texts = (
        record.kind, record.actor, record.source, record.incident, record.delivery, record.channel, record.reason,
        record.digest, record.detail,
    )  # fmt: skip
    together = "".join(texts)
    if together.isascii() and "\x00" not in together:
        return record
    _kind, *cleaned = (str(storable(text)) for text in texts)
    actor, source, incident, delivery, channel, reason, digest, detail = cleaned
    return Record(
        record.at, record.kind, actor, source, incident, delivery, channel, record.attempt, reason, digest, detail
    )
