"""Tables for people. What came from outside cannot move the cursor, colour the terminal or break a line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from bridge.observe.logs import escape

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 240


def console() -> Console:
    """Standard output; wide where nobody looks, so that nothing is cut off."""
    from rich.console import Console

    found = Console(highlight=False, markup=False)
    if not found.is_terminal:
        found.width = _WIDE
    return found


def show_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print one table."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(escape(cell)) for cell in row))
    console().print(table)


def pairs(labels: Mapping[str, str]) -> str:
    """`a=b, c=d`, the alert's name first."""
    ordered = sorted(labels.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))
    return ", ".join(f"{name}={value}" for name, value in ordered)


def local(moment: datetime | None) -> str:
    """A moment in the zone of whoever looks."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
