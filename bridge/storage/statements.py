"""SQL lives in files and is called by name."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)
_MIGRATION = re.compile(r"^(\d{4})_\w+\.sql$")


@cache
def statements(dialect: str) -> dict[str, str]:
    """Every named statement of a dialect. A name used twice is a programming error and raises ValueError."""
    found: dict[str, str] = {}
    for file in sorted(files("bridge.storage").joinpath("sql", dialect).iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql") or _MIGRATION.match(file.name):
            continue
        _before, *parts = _NAME.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[::2], parts[1::2], strict=True):
            if name in found:
                raise ValueError(f"the statement {name} stands twice in {dialect}")
            found[name] = text.strip().rstrip(";")
    return found


@cache
def migrations(dialect: str) -> tuple[tuple[int, str], ...]:
    """The numbered migrations of a dialect, in order: (number, script)."""
    found = []
    for file in files("bridge.storage").joinpath("sql", dialect).iterdir():
        match = _MIGRATION.match(file.name)
        if match:
            found.append((int(match[1]), file.read_text(encoding="utf-8")))
    return tuple(sorted(found))
