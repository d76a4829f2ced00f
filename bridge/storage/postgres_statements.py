"""What is known of each PostgreSQL statement before it runs: whether it writes, whether it can wait, which tables it sees."""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct

from bridge.storage.statements import halves, statements

_TABLE = re.compile(r"\bCREATE TABLE (?:IF NOT EXISTS )?(\w+)")
_SEEN = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_WRITES = re.compile(r"\b(?:INSERT INTO|UPDATE (?!SKIP\b)\w+ SET|DELETE FROM)\b")
_PARAMETER = re.compile(r"\$(\d+)")


class Statement(Struct, frozen=True):
    """`waits`: it adds rows and answers nothing, so it may be sent together with others, before anybody looks at them."""

    text: str
    tables: frozenset[str]
    writes: bool
    waits: bool
    parameters: int


@cache
def known_statements() -> dict[str, Statement]:
    """Every named statement of PostgreSQL."""
    scripts = "\n".join(half.script for half in halves("postgres"))
    tables = frozenset(_TABLE.findall(scripts))
    return {name: _judge(text, tables) for name, text in statements("postgres").items()}


def _judge(text: str, tables: frozenset[str]) -> Statement:
    writes = bool(_WRITES.search(text))
    plain = text.startswith("INSERT INTO") and "RETURNING" not in text and "SELECT" not in text
    parameters = max((int(number) for number in _PARAMETER.findall(text)), default=0)
    return Statement(text, frozenset(_SEEN.findall(text)) & tables, writes, plain, parameters)
