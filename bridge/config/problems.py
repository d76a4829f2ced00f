"""What is wrong with a configuration, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

Severity = Literal["error", "warning", "note"]
StandsIn = Literal["", "last_good", "nothing"]


class Mark(Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class Problem(Struct, frozen=True):
    """One finding. Errors refuse the file they stand in; warnings and notes do not.

    `stands_in` is set on the errors of a file that was refused alone: its `last_good` text is in force instead, or
    `nothing` of it. It is empty on the errors of a main file, which refuse everything.
    """

    file: str
    line: int
    column: int
    message: str
    severity: Severity = "error"
    stands_in: StandsIn = ""

    def __str__(self) -> str:
        word = "" if self.severity == "error" else f"{self.severity}: "
        return f"{self.file}:{self.line}:{self.column}: {word}{self.message}"


def problem(mark: Mark, message: str, severity: Severity = "error") -> Problem:
    """A problem at a mark."""
    return Problem(mark.file, mark.line, mark.column, message, severity)


_FEW_ENOUGH = 500  # comparing takes time for each pair; a file may hold thousands of unknown names


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` for the nearest known name, else the known ones if they are few, else nothing."""
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1) if len(names) <= _FEW_ENOUGH else []
    if near:
        return f"; did you mean {near[0]!r}?"
    if 0 < len(names) <= 8:
        return "; known: " + ", ".join(names)
    return ""
