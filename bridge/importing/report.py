"""What an import did, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from bridge.importing.alertmanager import Imported
from bridge.importing.credentials import Wanted
from bridge.importing.ledger import Entry


class Report(Struct, frozen=True):
    """`output` is null for standard output. `problems` are errors that `check` finds in what was written."""

    output: str | None
    sealed: int
    mapped: tuple[Entry, ...]
    noted: tuple[Entry, ...]
    left_out: tuple[Entry, ...]
    wanted: tuple[Wanted, ...]
    problems: tuple[str, ...]

    @classmethod
    def of(cls, imported: Imported, output: str | None, problems: tuple[str, ...]) -> Report:
        entries = imported.entries
        return cls(
            output,
            imported.sealed,
            tuple(entry for entry in entries if entry.outcome == "mapped"),
            tuple(entry for entry in entries if entry.outcome == "noted"),
            imported.left_out,
            imported.wanted,
            problems,
        )

    def lines(self) -> Iterator[str]:
        """The report for people: what became of the receivers' keys, what is left out, what is still to be done.

        Each is one line that a terminal takes for nothing but text.
        """
        return (line if line.isprintable() else ascii(line)[1:-1] for line in self._lines())

    def _lines(self) -> Iterator[str]:
        copied = 0
        for entry in self.mapped:
            if entry.path.startswith(("receivers", "global")):
                how = f" ({entry.how})" if entry.how else ""
                yield f"{entry.at}: {entry.path} → {entry.to}{how}"
            else:
                copied += 1
        yield f"copied as they are: {copied} keys of the route tree, inhibition rules and time intervals"
        yield f"secrets sealed: {self.sealed}"
        for entry in self.noted:
            yield f"{entry.at}: {entry.path}: needs no counterpart: {entry.how}"
        for entry in self.left_out:
            yield f"{entry.at}: {entry.path}: LEFT OUT: {entry.how}" + (f"; {entry.instead}" if entry.instead else "")
        for wanted in self.wanted:
            yield f"{wanted.at}: to be set: the variable {wanted.variable}, for {wanted.to}"
        for problem in self.problems:
            yield f"to be put right: {problem}"
        yield f"{len(self.left_out)} left out, {len(self.wanted)} variables to be set, {len(self.problems)} errors"
