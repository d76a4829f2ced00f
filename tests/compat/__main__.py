"""`make compat`: random routes and random histories through a real Alertmanager and through the bridge; a table at the end.

`python -m tests.compat` obeys N (histories, default 200), ROUTES (route cases, default 10,000), SEED (default 1) and ONLY:
`routes`, `directed`, `histories`, each with `:NUMBER,…` for some of them, or `twin`, which puts a second Alertmanager in the bridge's place
to show what the judge itself gets wrong. PLANTED names bugs to plant in the bridge. Exit 1 if anything disagreed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.compat import routes
from tests.compat.batch import MEMORY, TWIN, Batch, Case, case, directed_case, play_all
from tests.compat.directed import DIRECTED
from tests.compat.judge import farthest
from tests.compat.model import DIFFERENCES

N = int(os.environ.get("N") or "200")
ROUTES = int(os.environ.get("ROUTES") or "10000")
SEED = int(os.environ.get("SEED") or "1")
PLANTED = os.environ.get("PLANTED", "")
_CASES_OF_A_TREE = 10
_TREES_AT_ONCE = 250
_LINES = 40


class Line(Struct):
    """One line of the table. `problems` by the command that repeats them."""

    what: str
    cases: int
    figures: str
    problems: dict[str, list[str]]


def main() -> int:
    """Run what is asked; 1 if something disagreed or nothing was asked."""
    part, _, numbers = os.environ.get("ONLY", "").partition(":")
    chosen = [int(number) for number in numbers.split(",") if number]
    lines = []
    if part in {"", "routes"}:
        lines.append(_routes(chosen or list(range(-(-ROUTES // _CASES_OF_A_TREE)))))
    if part in {"", "directed"}:
        lines.append(_histories("directed", [directed_case(number) for number in chosen or range(len(DIRECTED))]))
    if part in {"", "histories", "twin"}:
        cases = [case(SEED, number) for number in chosen or range(N)]
        lines.append(_histories(part or "histories", cases, explain=bool(chosen)))
    table = Table("what", "cases", "agreed", "figures", "disagreements")
    for line in lines:
        table.add_row(
            line.what, str(line.cases), str(line.cases - len(line.problems)), line.figures, str(len(line.problems))
        )
        for command, problems in line.problems.items():
            sys.stdout.write(f"\n{command}\n" + "\n".join("\n".join(problems).splitlines()[:_LINES]) + "\n")
    Console(width=max(120, Console().width)).print(table)
    return int(any(line.problems for line in lines) or not lines)


def _routes(numbers: list[int]) -> Line:
    cases, groups, problems = 0, 0, {}
    for start in range(0, len(numbers), _TREES_AT_ONCE):
        trees = [routes.tree(SEED, number) for number in numbers[start : start + _TREES_AT_ONCE]]
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            routed = routes.compare(Path(folder), trees, PLANTED)
        cases += routed.cases
        groups += routed.groups
        for number, found in routed.problems.items():
            problems[f"make compat ONLY=routes:{number} SEED={SEED}"] = found
    return Line("routes", cases, f"{len(numbers)} trees, {groups} groups", problems)


def _histories(part: str, cases: list[Case], *, explain: bool = False) -> Line:
    if explain:
        for one in cases:
            sys.stdout.write(f"{one.setting}\n" + "".join(f"{event}\n" for event in one.history.events))
    challenger = TWIN if part == "twin" else PLANTED
    batch = play_all(cases, [challenger])[challenger]
    problems = {}
    for one in cases:
        verdict = batch.verdicts.get(one.number)
        if verdict is None:
            found = ["the machine was too slow for a judgement"]
        else:
            mistaken = [f"Alertmanager did what the model does not foresee: {text}" for text in verdict.unforeseen]
            found = verdict.problems or mistaken
        if found:
            problems[f"make compat ONLY={part}:{one.number} SEED={SEED}"] = found
    return Line(part, len(cases), _figures(batch), problems)


def _figures(batch: Batch) -> str:
    verdicts = batch.verdicts.values()
    median, most, maximum = farthest(verdicts)
    lines = [
        f"{sum(verdict.notifications for verdict in verdicts)} notifications in {sum(verdict.groups for verdict in verdicts)} groups",
        f"{sum(verdict.looks for verdict in verdicts)} looks, {sum(verdict.suppressed for verdict in verdicts)} suppressed alerts seen",
        f"seconds apart: median {median:.3f}, 99% {most:.3f}, most {maximum:.3f}",
        f"asked again, as a request was late: {len(batch.late)} (by up to {batch.latest:.3f} s)",
    ]
    counts = {kind: sum(one.differences.get(kind, 0) for one in verdicts) for kind in (*DIFFERENCES, "several-at-once")}
    lines += [f"expected difference {kind}: {count} groups" for kind, count in counts.items() if count]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
