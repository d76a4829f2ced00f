"""Rows that a transaction adds, until somebody looks for them: then they go together, many in one statement.

A statement costs more than the row it writes, and each one passes the interpreter's lock to the event loop and back.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain

from msgspec import Struct

from bridge.storage.statements import migrations, statements
from bridge.storage.transaction import Value

_ADDING = ("request_add", "alert_add", "incident_add", "incident_alert_put", "delivery_add", "told_put", "audit_append")
"""What is added for each alert or delivery. Nobody asks them how many rows they changed."""

_NUMBERED = frozenset({"request_add", "alert_add", "delivery_add"})
"""Their rows get a number from here."""

_LOOKS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "alert_get": ("alert_add", ("source", "org", "fingerprint")),
    "incident_open_by_group": ("incident_add", ("source", "route", "group_hash")),
}
"""Looks that are made for each alert, and what a row must have in these columns for the look to find it."""

_TOGETHER = (32, 8, 2, 1)
_MOST_ROWS = 256
_MOST_BYTES = 2**20
_TABLE = re.compile(r"\bCREATE TABLE (\w+)")
_SEEN = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")
_INSERT = re.compile(r"INSERT INTO (\w+) \(([\w\s,]+)\)\s+VALUES (\([^()]*\))(.*)", re.DOTALL)


class Addition(Struct, frozen=True):
    """An INSERT of one row, taken apart. `together` are the same for many rows, by their number; an upsert has none.

    `looks` are the looks that may find its rows, with the places of the values they ask for. `body` is the place of a value
    that may be large, -1 if there is none.
    """

    table: str
    numbered: bool
    text: str
    together: Mapping[int, str]
    looks: tuple[tuple[str, tuple[int, ...]], ...]
    body: int


class Known(Struct, frozen=True):
    """What the statements do: their tables, those they write to, and the additions among them."""

    tables: Mapping[str, frozenset[str]]
    writes: Mapping[str, frozenset[str]]
    additions: Mapping[str, Addition]


@cache
def known() -> Known:
    """Every named statement of SQLite, read off its text."""
    ours = statements("sqlite")
    every = frozenset(_TABLE.findall("\n".join(script for _number, script in migrations("sqlite"))))
    tables = {name: every.intersection(_SEEN.findall(text)) for name, text in ours.items()}
    return Known(
        tables,
        {name: found for name, found in tables.items() if _WRITES.search(ours[name])},
        {name: _addition(name, ours[name]) for name in _ADDING},
    )


def _addition(name: str, text: str) -> Addition:
    found = _INSERT.fullmatch(text)
    if found is None:
        raise ValueError(f"{name} is not the INSERT of one row")
    table, listed, row, rest = found.groups()
    columns = [column.strip() for column in listed.split(",")]
    given = [column for column, value in zip(columns, row[1:-1].split(","), strict=True) if value.strip() == "?"]
    numbered = name in _NUMBERED
    if numbered:
        listed, row = f"id, {listed}", f"(?, {row[1:]}"
        given.insert(0, "id")
    looks = [(look, tuple(map(given.index, asked))) for look, (adding, asked) in _LOOKS.items() if adding == name]
    return Addition(
        table,
        numbered,
        f"INSERT INTO {table} ({listed}) VALUES {row}{rest}",  # noqa: S608 - of our own files alone
        {} if rest else {many: _together(table, listed, row, many) for many in _TOGETHER},
        tuple(looks),
        given.index("body") if "body" in given else -1,
    )


def _together(table: str, listed: str, row: str, many: int) -> str:
    """Without OR ROLLBACK, SQLite copies every page before it changes it, so that the statement alone can be taken back."""
    return f"INSERT OR ROLLBACK INTO {table} ({listed}) VALUES {', '.join([row] * many)}"  # noqa: S608 - as above


class Waiting:
    """The rows of one transaction that wait. Whoever looks calls `before`; at the end comes `send_all`.

    After rows could not be added nothing more can come of the transaction, whatever a unit makes of the error: every call
    raises it again.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._known = known()
        self.additions = self._known.additions
        self._rows: dict[str, list[Sequence[Value]]] = {}
        self._adding: dict[str, Addition] = {}
        self._met: dict[str, set[Sequence[Value]]] = {}
        self._last: dict[str, int] = {}
        self._bytes = 0
        self._failure: BaseException | None = None

    def add(self, addition: Addition, values: Sequence[Value]) -> int:
        """Keep a row for later; gives its number, 0 where rows have none."""
        if self._failure is not None:
            raise self._failure
        table = addition.table
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = []
            self._adding[table] = addition
        number = 0
        if addition.numbered:
            number = self._next(table)
            values = (number, *values)
        rows.append(values)
        for look, places in addition.looks:
            self._met.setdefault(look, set()).add(tuple([values[place] for place in places]))
        if addition.body >= 0:
            body = values[addition.body]
            self._bytes += len(body) if isinstance(body, bytes) else 0
        if len(rows) >= _MOST_ROWS or self._bytes >= _MOST_BYTES:
            self.send_all()
        return number

    def before(self, name: str, values: tuple[Value, ...]) -> None:
        """A statement is about to run: what it may see or change is sent first."""
        if self._failure is not None:
            raise self._failure
        tables = self._known.tables[name]
        if not tables.isdisjoint(self._rows) and not (name in _LOOKS and values not in self._met.get(name, ())):
            for table in tables.intersection(self._rows):
                self._send(table)
        for table in self._known.writes.get(name, ()):
            self._last.pop(table, None)

    def send_all(self) -> None:
        """Send what waits."""
        if self._failure is not None:
            raise self._failure
        for table in list(self._rows):
            self._send(table)
        self._bytes = 0

    def _next(self, table: str) -> int:
        last = self._last.get(table)
        if last is None:
            last = self._connection.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0]  # noqa: S608 - as above
        self._last[table] = last + 1
        return last + 1

    def _send(self, table: str) -> None:
        rows, addition = self._rows.pop(table), self._adding.pop(table)
        for look, _places in addition.looks:
            self._met.pop(look, None)
        try:
            send_rows(self._connection, addition, rows)
        except BaseException as error:
            self._failure = error
            raise


def send_rows(connection: sqlite3.Connection, addition: Addition, rows: Sequence[Sequence[Value]]) -> None:
    """Add the rows, as many in one statement as will do. After an error the transaction may be over."""
    if not addition.together:
        connection.executemany(addition.text, rows)
        return
    begin = 0
    for many in _TOGETHER:
        while len(rows) - begin >= many:
            connection.execute(addition.together[many], tuple(chain.from_iterable(rows[begin : begin + many])))
            begin += many
