"""One transaction of PostgreSQL, and how a unit runs in it.

A unit is driven step by step: what a transaction's method yields is carried out, and its answer sent back. So a unit that
waits for anything else is found out at once, as on SQLite, and whatever a unit raises is told apart from what the
connection raises.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Sequence
from types import CoroutineType
from typing import Any, Generic, TypeVar

from bridge.domain.audit import Record
from bridge.storage.postgres_link import Link
from bridge.storage.postgres_statements import Addition, Statement
from bridge.storage.postgres_waiting import Waiting
from bridge.storage.transaction import Row, Unit, Value

T = TypeVar("T")
_REPLACEMENT = "\ufffd"


class UnitFailed(Exception):  # noqa: N818 - says what happened; carries any error there is
    """A unit raised `error`."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error

    @property
    def told(self) -> Exception:
        """What whoever waits is told. SystemExit or CancelledError of a unit must not end the loop that awaits it."""
        if isinstance(self.error, Exception):
            return self.error
        failure = RuntimeError(f"a unit of work raised {type(self.error).__name__}")
        failure.__cause__ = self.error
        return failure


class Step(Generic[T]):
    """What a unit awaits: something that whoever drives it is to do."""

    __slots__ = ("_act",)

    def __init__(self, act: Callable[[], Awaitable[T]]) -> None:
        self._act = act

    def __await__(self) -> Generator[Step[T], T, T]:
        return (yield self)

    async def act(self) -> T:
        return await self._act()


class PostgresTx:
    """One PostgreSQL transaction.

    `next_id` is the next row's number; None in a transaction that only reads. `foreseen` holds what looks of this
    transaction were answered before its first unit ran; an answer counts until something may have changed it.
    """

    def __init__(self, link: Link, statements: dict[str, Statement], next_id: int | None = None) -> None:
        self._link = link
        self._statements = statements
        self._waiting = Waiting(link)
        self._changed: set[str] = set()
        self.next_id = next_id
        self.foreseen: dict[tuple[str, tuple[Value, ...]], list[Row]] = {}
        self.records: list[Record] = []
        self.wrote = False
        self.hinted = False

    async def one(self, name: str, *values: Value) -> Row | None:
        """The first row, None if there is none."""
        statement, cleaned = self._statements[name], _cleaned(values)
        known = self._known(statement, cleaned)
        if known is not None:
            return known[0] if known else None
        row: Row | None = await Step(lambda: self._ask(statement, self._link.one, cleaned))
        return row

    async def all(self, name: str, *values: Value) -> list[Row]:
        statement, cleaned = self._statements[name], _cleaned(values)
        known = self._known(statement, cleaned)
        if known is not None:
            return list(known)
        rows: list[Row] = await Step(lambda: self._ask(statement, self._link.all, cleaned))
        return rows

    async def run(self, name: str, *values: Value) -> int:
        """How many rows changed; 1 for a plain INSERT, which may be sent later."""
        statement = self._statements[name]
        if statement.adds is not None:
            self._later(statement, statement.adds, values)
            return 1
        changed: int = await Step(lambda: self._ask(statement, self._link.run, _cleaned(values)))
        return changed

    async def insert(self, name: str, *values: Value) -> int:
        """The new row's id."""
        statement = self._statements[name]
        if self.next_id is None or statement.adds is None:
            raise _only_reads(name)
        number = self.next_id
        self.next_id += 1
        self._later(statement, statement.adds, (number, *values))
        return number

    async def many(self, name: str, rows: Iterable[Sequence[Value]]) -> None:
        statement = self._statements[name]
        if statement.adds is not None:
            for values in rows:
                self._later(statement, statement.adds, values)
            return
        cleaned = [_cleaned(values) for values in rows]
        if cleaned:
            await Step(lambda: self._ask_many(statement, cleaned))

    def record(self, record: Record) -> None:
        """Add to the audit; chained and stored with this transaction or not at all."""
        self.records.append(record)

    def hint(self) -> None:
        """Tell the other bridges, once this is committed, that there is something to do."""
        self.hinted = True

    async def flush(self) -> None:
        """Send the rows that wait."""
        await self._waiting.send()

    def forget(self) -> None:
        """Drop the rows that wait: the unit that added them failed."""
        self._waiting.forget()

    def _later(self, statement: Statement, adds: Addition, values: Sequence[Value]) -> None:
        if self.next_id is None:
            raise _only_reads(statement.name)
        self.wrote = True
        self._waiting.add(statement, adds, _cleaned(values))

    def _known(self, statement: Statement, values: tuple[Value, ...]) -> list[Row] | None:
        """What was foreseen of a look, None if it must be made."""
        if not self.foreseen or statement.look is None or statement.look.table in self._changed:
            return None
        rows = self.foreseen.get((statement.name, values))
        return None if rows is None or self._waiting.were_added(statement.look, values) else rows

    async def _ask(self, statement: Statement, ask: Callable[..., Awaitable[T]], values: Sequence[Value]) -> T:
        self._judge(statement)
        if self._waiting.met_by(statement, values):
            await self._waiting.send(statement.tables)
        return await ask(statement.text, *values)

    async def _ask_many(self, statement: Statement, rows: list[tuple[Value, ...]]) -> None:
        self._judge(statement)
        await self._waiting.send(statement.tables)
        await self._link.many(statement.text, rows)

    def _judge(self, statement: Statement) -> None:
        if statement.writes:
            if self.next_id is None:
                raise _only_reads(statement.name)
            self.wrote = True
            self._changed |= statement.changes


def storable(value: Value) -> Value:
    """A value as PostgreSQL takes it: its texts hold neither NUL nor lone surrogates."""
    if type(value) is not str:
        return value
    if "\x00" in value:
        value = value.replace("\x00", _REPLACEMENT)
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return value.encode("utf-8", "replace").decode()
    return value


def _cleaned(values: Sequence[Value]) -> tuple[Value, ...]:
    """Values as they can be stored; asked for every value of every row, so the common case is spelled out."""
    return tuple([
        value if type(value) is not str or (value.isascii() and "\x00" not in value) else storable(value)
        for value in values
    ])  # fmt: skip


async def drive(unit: Unit[T], tx: PostgresTx) -> T:
    """Run a unit to its end.

    Raises:
        UnitFailed: the unit raised, or awaited something besides the transaction.
        StorageError: the storage is to blame.
    """
    running = unit(tx)
    if type(running) is not CoroutineType and not isinstance(running, Coroutine):
        raise UnitFailed(TypeError("a unit of work is a coroutine function"))
    answer: Any = None
    error: Exception | None = None
    first: Exception | None = None
    while True:
        try:
            step = running.send(answer) if error is None else running.throw(error)
        except StopIteration as done:
            if first is not None:
                raise UnitFailed(first) from first  # it went on, but nothing more can come of this transaction
            result: T = done.value
            return result
        except BaseException as raised:
            raise UnitFailed(first or raised) from raised
        if type(step) is not Step:
            running.close()
            raise UnitFailed(RuntimeError("a unit of work may await only its transaction"))
        answer, error = None, None
        try:
            answer = await step.act()
        except Exception as failure:  # noqa: BLE001 - the unit hears of it first, so that it can tidy up
            error, first = failure, first or failure


def _only_reads(what: str) -> RuntimeError:
    return RuntimeError(f"a unit that only reads has something to write; its transaction is read-only: {what[:60]}")
