"""What is known of each PostgreSQL statement before it runs: whether it writes, whether it can wait, what it looks at.

Round trips are what a unit on a server costs. Rows that are added wait, and go together; a look that is known beforehand is
made for many units at once. Both need to know whose rows a look may meet: that is read off the statements' text, and what
cannot be read off is taken to meet everything of its tables.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from msgspec import Struct

from bridge.storage.statements import halves, statements

_TABLE = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)")
_SEEN = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE(?= \w+ SET\b)|DELETE FROM)\s+(\w+)")
_PARAMETER = re.compile(r"\$(\d+)")
_INSERT = re.compile(
    r"INSERT INTO (?P<table>\w+) \((?P<columns>[\w\s,]+)\)\s+VALUES \((?P<values>[^()]*)\)(?P<rest>\s+ON CONFLICT \((?P<keys>[\w\s,]+)\).*)?",
    re.DOTALL,
)
_LOOK = re.compile(
    r"SELECT .*?\sFROM (?P<table>\w+)\s+WHERE (?P<where>[^()]*?)(?P<order>\s+ORDER BY [^()]*?)?(?P<limit>\s+LIMIT 1)?",
    re.DOTALL,
)
_OTHER = re.compile(r"\b(OR|JOIN|FOR|GROUP BY|UNION)\b|SELECT.*SELECT|\bFROM\b.*\bFROM\b", re.DOTALL)
_LIST = re.compile(r" IN \('[\w', ]*'\)")
_EQUALS = re.compile(r"(\w+) = \$(\d+)")


class Addition(Struct, frozen=True):
    """A plain INSERT: the parameter (from 0) that each column takes, and the columns that may not occur twice.

    An upsert may change what is in the other columns of a row, so that only its keys tell rows apart.
    """

    table: str
    columns: dict[str, int]
    keys: tuple[str, ...]
    text: str
    rest: str
    columns_in_order: tuple[str, ...]

    def shared(self, look: Look) -> tuple[tuple[int, int], ...]:
        """Pairs of parameters, of the addition and of a look into its table, that must be equal for the look to meet a row."""
        comparable = self.keys or tuple(self.columns)
        return tuple(
            (self.columns[column], place)
            for column, place in look.equals
            if column in comparable and column in self.columns
        )

    def bulk(self, types: Sequence[str], before: int = 0) -> str:
        """The statement for many rows at once: its parameters are arrays, numbered on from those `before`."""
        arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, before + 1))
        names = ", ".join(f"p{place}" for place in range(1, len(types) + 1))
        values = _PARAMETER.sub(r"rows.p\1", self.text)
        columns = ", ".join(self.columns_in_order)
        source = f"SELECT {values} FROM unnest({arrays}) AS rows({names})"  # noqa: S608 - of our own files alone
        return f"INSERT INTO {self.table} ({columns}) {source}{self.rest}"


class Look(Struct, frozen=True):
    """A SELECT from one table: (column, parameter from 0) of what must be equal, and whether it can be made for many at once."""

    table: str
    equals: tuple[tuple[str, int], ...]
    text: str
    single: bool

    def ahead(self, types: Sequence[str]) -> str:
        """The statement for many looks at once: its parameters are arrays, and each row ends with the place of its look."""
        arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
        names = ", ".join(f"p{place}" for place in range(1, len(types) + 1))
        text = _PARAMETER.sub(r"looks.p\1", self.text)
        looks = f"unnest({arrays}) WITH ORDINALITY AS looks({names}, place)"
        return f"SELECT found.*, looks.place FROM {looks} CROSS JOIN LATERAL ({text}) AS found"  # noqa: S608 - as above


class Statement(Struct, frozen=True):
    """`waits`: it adds rows and answers nothing, so it may be sent together with others, before anybody looks at them.

    `tables` are those it looks at or writes, `changes` those it writes.
    """

    name: str
    text: str
    tables: frozenset[str]
    changes: frozenset[str]
    parameters: int
    adds: Addition | None = None
    look: Look | None = None

    @property
    def writes(self) -> bool:
        return bool(self.changes)

    @property
    def waits(self) -> bool:
        return self.adds is not None


def together(parts: Sequence[tuple[Addition, Sequence[str]]]) -> str:
    """One statement for many rows of several tables, each with the types of its parameters; no two of one table."""
    texts, before = [], 0
    for adds, types in parts:
        texts.append(adds.bulk(types, before))
        before += len(types)
    *others, last = texts
    with_them = ", ".join(f"a{place} AS ({text})" for place, text in enumerate(others))
    return f"WITH {with_them} {last}" if others else last


@cache
def known_statements() -> dict[str, Statement]:
    """Every named statement of PostgreSQL."""
    scripts = "\n".join(half.script for half in halves("postgres"))
    tables = frozenset(_TABLE.findall(scripts))
    return {name: _judge(name, text, tables) for name, text in statements("postgres").items()}


def _judge(name: str, text: str, tables: frozenset[str]) -> Statement:
    changes = frozenset(_WRITES.findall(text))
    parameters = max((int(number) for number in _PARAMETER.findall(text)), default=0)
    seen = frozenset(_SEEN.findall(text)) & tables
    return Statement(name, text, seen, changes, parameters, _addition(text), None if changes else _look(text))


def _addition(text: str) -> Addition | None:
    found = _INSERT.fullmatch(text)
    if found is None:
        return None
    columns = tuple(column.strip() for column in found["columns"].split(","))
    values = [value.strip() for value in found["values"].split(",")]
    plain = {
        column: int(value[1:]) - 1 for column, value in zip(columns, values, strict=True) if _PARAMETER.fullmatch(value)
    }
    keys = tuple(column.strip() for column in (found["keys"] or "").split(",") if column.strip())
    return Addition(found["table"], plain, keys, found["values"], found["rest"] or "", columns)


def _look(text: str) -> Look | None:
    found = _LOOK.fullmatch(_LIST.sub(" = 'one of several'", text))
    if found is None or _OTHER.search(text):
        return None
    equals = tuple(
        (match[1], int(match[2]) - 1)
        for condition in found["where"].split(" AND ")
        if (match := _EQUALS.fullmatch(condition.strip()))
    )
    return Look(found["table"], equals, text, single=found["order"] is None or found["limit"] is not None)
