"""`make faults`: the checks of `tests/faults/checks.py` by seed and size, the directed cases, and a result for machines.

`python -m tests.faults` obeys FAULTS_SEED, QUICK=1 (under five minutes), N (a factor for the long form), ONLY (parts of
names, separated by commas), FAULTS_JSON (where the result goes). Exit 1 if anything did not hold.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.faults import forks
from tests.faults.checks import CHECKS
from tests.faults.directed import DIRECTED
from tests.faults.results import Figures, Result

SEED = int(os.environ.get("FAULTS_SEED", "1"))
QUICK = os.environ.get("QUICK", "") not in {"", "0"}
N = float(os.environ.get("N", "1"))
ONLY = os.environ.get("ONLY", "").split(",")


class Line(msgspec.Struct, frozen=True):
    """One check as it ran: how often things were done, and what came of it."""

    name: str
    times: int
    seconds: float
    figures: Figures
    problems: list[str]


def main() -> int:
    """Run every check; 1 if one of them found something."""
    sys.stderr.write(f"FAULTS_SEED={SEED}\n")
    lines = [_run(*asked) for asked in _asked()]
    forks.close()
    table = Table("check", "times", "seconds", "figures", "holds")
    for line in lines:
        figures = ", ".join(f"{name} {value:.4g}" for name, value in line.figures.items())
        table.add_row(line.name, str(line.times), f"{line.seconds:.0f}", figures, "; ".join(line.problems) or "yes")
    Console().print(table)
    if path := os.environ.get("FAULTS_JSON"):
        document = {"seed": SEED, "quick": QUICK, "n": N, "results": lines}
        Path(path).write_bytes(msgspec.json.encode(document))
    return int(any(line.problems for line in lines) or not lines)


def _asked() -> Iterator[tuple[str, int, Callable[[Path], Result]]]:
    """(name, how often, what runs it)."""
    for check in CHECKS:
        times = check.times(quick=QUICK, factor=N)
        if any(part in check.name for part in ONLY):
            yield check.name, times, lambda place, check=check, times=times: check.run(place, times, SEED, "")  # type: ignore[misc]
    for directed in DIRECTED:
        if any(part in directed.name for part in ONLY) and (directed.quick or not QUICK):
            yield directed.name, 1, directed.run


def _run(name: str, times: int, check: Callable[[Path], Result]) -> Line:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        try:
            result = check(Path(place) / "place")
        except Exception:  # noqa: BLE001 - one check that cannot run must not hide the others
            result = Result({}, [traceback.format_exc(limit=3)])
    seconds = time.monotonic() - started
    sys.stderr.write(f"{name}: {'; '.join(result.problems) or 'holds'} ({seconds:.0f} s)\n")
    return Line(name, times, seconds, result.figures, result.problems)


if __name__ == "__main__":
    sys.exit(main())
