"""What was measured, as a table for people and as JSON for machines. Ratios carry over to other machines, times do not."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct, to_builtins
from rich.console import Console
from rich.table import Table

Figures = dict[str, float]


class Line(Struct, frozen=True):
    """One figure. `beside` is what it is compared with, `ratio` the first over the second (the median over the rounds).

    `aim` is about the ratio if there is one, else about the figure; `met` is None where nothing is aimed at.
    """

    part: str
    measure: str
    figure: float
    unit: str
    beside: float | None = None
    ratio: float | None = None
    aim: str = ""
    met: bool | None = None


def line(
    part: str,
    measure: str,
    figure: float,
    unit: str,
    *,
    beside: float | None = None,
    ratio: float | None = None,
    most: float | None = None,
    least: float | None = None,
    above: float | None = None,
) -> Line:
    """A line that is judged by the most or the least it may be, or by what it must be above."""
    if ratio is None and beside:
        ratio = figure / beside
    judged = figure if ratio is None else ratio
    if most is not None:
        return Line(part, measure, figure, unit, beside, ratio, f"≤ {most:g}", judged <= most)
    if least is not None:
        return Line(part, measure, figure, unit, beside, ratio, f"≥ {least:g}", judged >= least)
    if above is not None:
        return Line(part, measure, figure, unit, beside, ratio, f"> {above:g}", judged > above)
    return Line(part, measure, figure, unit, beside, ratio)


def median(figures: Sequence[Figures]) -> Figures:
    """The median of each figure over the rounds."""
    return {name: statistics.median(one[name] for one in figures) for name in figures[0]}


def ratio(pairs: Iterable[tuple[Figures, Figures]], name: str) -> float:
    """The median of the rounds' ratios: what slows the machine slows both of a round."""
    return statistics.median(ours[name] / theirs[name] for ours, theirs in pairs)


def show(lines: Sequence[Line], title: str) -> None:
    table = Table(title=title)
    for column, justify in (("measure", "left"), ("figure", "right"), ("beside", "right"), ("ratio", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    table.add_column("aim")
    table.add_column("met")
    part = ""
    for one in lines:
        if part and one.part != part:
            table.add_section()
        part = one.part
        table.add_row(
            f"{one.measure}, {one.unit}" if one.unit else one.measure, _number(one.figure),
            "" if one.beside is None else _number(one.beside), "" if one.ratio is None else f"{one.ratio:.2f}",
            one.aim, {True: "yes", False: "NO", None: ""}[one.met],
        )  # fmt: skip
    Console(width=140).print(table)


def write(path: Path, lines: Sequence[Line], facts: Mapping[str, float]) -> None:
    """Everything as one JSON object."""
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()[0]}
    found = {"lines": to_builtins(lines), **facts, "machine": machine}
    path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


Part = Callable[[Path, int], list[Line]]
"""A measurement in a folder of its own, with so many alerts; gives its lines."""
