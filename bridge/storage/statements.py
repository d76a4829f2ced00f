"""SQL lives in files and is called by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from msgspec import Struct

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{4})_\w+(?:\.(pre|post))?\.sql$")
_COMMENT = re.compile(r"^--.*$", re.MULTILINE)


class Half(Struct, frozen=True):
    """One half of a migration: `pre` adds what the new version needs and the one before it does not mind, `post` takes
    away what only the one before it needed.
    """

    number: int
    half: str
    script: str


@cache
def statements(dialect: str) -> dict[str, str]:
    """Every named statement of a dialect. A name used twice is a programming error and raises ValueError."""
    found: dict[str, str] = {}
    for file in sorted(files("bridge.storage").joinpath("sql", dialect).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql") or _MIGRATION.match(file.name):
            continue
        for name, text in named(file.read_text(encoding="utf-8")).items():
            if name in found:
                raise ValueError(f"the statement {name} stands twice in {dialect}")
            found[name] = text
    return found


def named(text: str) -> dict[str, str]:
    """The statements of one file, without the comments between them."""
    _before, *parts = _NAME.split(text)
    return {
        name: _COMMENT.sub("", statement).strip().rstrip(";")
        for name, statement in zip(parts[::2], parts[1::2], strict=True)
    }


@cache
def migrations(dialect: str) -> tuple[tuple[int, str], ...]:
    """The numbered migrations of a dialect, in order: (number, script)."""
    return tuple((half.number, half.script) for half in halves(dialect) if half.half == "pre")


@cache
def halves(dialect: str) -> tuple[Half, ...]:
    """The migrations in order, each `pre` before its `post`. A file that is not halved is a `pre`."""
    found = []
    for file in files("bridge.storage").joinpath("sql", dialect).iterdir():
        match = _MIGRATION.match(file.name)
        if match:
            found.append(Half(int(match[1]), match[2] or "pre", file.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda half: (half.number, half.half == "post")))
