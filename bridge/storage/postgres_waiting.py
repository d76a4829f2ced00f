"""Rows that a transaction adds, until somebody looks for them: then they go together, those of many tables in one round trip."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.storage.postgres_link import Link
from bridge.storage.postgres_statements import Addition, Look, Statement, together
from bridge.storage.transaction import Value

_BULK = 3
"""From so many rows on, one statement with arrays costs less than one statement for each row."""

_LARGEST = 8 * 2**20
"""Characters or bytes in one message."""

Places = tuple[int, ...]
Bulk = tuple[Statement, Addition, list[list[Value]]]
"""A statement that adds many rows, and their values by column."""


class _Added:
    """Everything that one statement added in this transaction, found by whatever columns are asked for."""

    def __init__(self, adds: Addition) -> None:
        self._adds = adds
        self._by: dict[Places, tuple[int, set[tuple[Value, ...]]]] = {}
        self.rows: list[Sequence[Value]] = []

    def meets(self, look: Look, values: Sequence[Value]) -> bool:
        """Whether a look may meet one of the rows."""
        shared = self._adds.shared(look)
        if not shared:
            return True
        places = tuple(place for place, _of_look in shared)
        done, keys = self._by.get(places, (0, set()))
        if done < len(self.rows):
            keys.update(tuple(row[place] for place in places) for row in self.rows[done:])
            self._by[places] = (len(self.rows), keys)
        return tuple(values[place] for _of_row, place in shared) in keys


class Waiting:
    """The rows of one transaction."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._queue: list[tuple[Statement, list[Sequence[Value]]]] = []
        self._tables: set[str] = set()
        self._added: dict[str, dict[str, _Added]] = {}

    def add(self, statement: Statement, adds: Addition, row: Sequence[Value]) -> None:
        """Keep a row for later. Rows of one table go in the order in which they came."""
        of_table = self._added.setdefault(adds.table, {})
        added = of_table.get(statement.name)
        if added is None:
            added = of_table[statement.name] = _Added(adds)
        added.rows.append(row)
        for waiting, rows in reversed(self._queue):
            if waiting is statement:
                rows.append(row)
                return
            if not waiting.tables.isdisjoint(statement.tables):
                break
        self._queue.append((statement, [row]))
        self._tables |= statement.tables

    def met_by(self, statement: Statement, values: Sequence[Value]) -> bool:
        """Whether rows wait that the statement may see."""
        if self._tables.isdisjoint(statement.tables):
            return False
        return statement.look is None or self.were_added(statement.look, values)

    def were_added(self, look: Look, values: Sequence[Value]) -> bool:
        """Whether this transaction added rows, sent or not, that the look may meet."""
        return any(added.meets(look, values) for added in self._added.get(look.table, {}).values())

    async def send(self, tables: frozenset[str] | None = None) -> None:
        """Send what waits: for these tables, or for all."""
        if not self._queue:
            return
        going, self._queue = self._queue, []
        bulk: dict[str, Bulk] = {}
        for statement, rows in going:
            if tables is not None and tables.isdisjoint(statement.tables):
                self._queue.append((statement, rows))
                continue
            adds = statement.adds
            if adds is None or not statement.tables.isdisjoint(bulk):
                await self._send_bulk(bulk)  # rows of one table go in the order in which they came
            columns = None if adds is None else _columns(adds, rows)
            if adds is None or columns is None:
                await self._link.many(statement.text, rows)
            else:
                bulk[adds.table] = (statement, adds, columns)
        await self._send_bulk(bulk)
        self._tables = {table for statement, _rows in self._queue for table in statement.tables}

    def forget(self) -> None:
        """Drop what waits: the unit that added it failed."""
        self._queue = []
        self._tables = set()

    async def _send_bulk(self, bulk: dict[str, Bulk]) -> None:
        """Many rows of each of several tables, in one round trip."""
        if not bulk:
            return
        parts = tuple(bulk.values())
        bulk.clear()
        text = await self._link.variant(
            tuple(statement.text for statement, _adds, _columns in parts),
            lambda types: together([(part[1], of) for part, of in zip(parts, types, strict=True)]),
        )
        await self._link.run(text, *(column for part in parts for column in part[2]))


def _columns(adds: Addition, rows: list[Sequence[Value]]) -> list[list[Value]] | None:
    """The rows as arrays, None where they are better put one by one."""
    if len(rows) < _BULK or _repeats(adds, rows):
        return None
    columns = list(map(list, zip(*rows, strict=True)))
    return None if sum(map(_size, columns)) > _LARGEST else columns


def _repeats(adds: Addition, rows: list[Sequence[Value]]) -> bool:
    """Whether a row would be put twice: one statement cannot do that."""
    if not adds.keys:
        return False
    places = [adds.columns[key] for key in adds.keys]
    return len({tuple(row[place] for place in places) for row in rows}) < len(rows)


def _size(column: list[Value]) -> int:
    if type(column[0]) is int:
        return 0
    return sum(len(value) for value in column if isinstance(value, str | bytes))
