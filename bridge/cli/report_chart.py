"""A report as a picture: who was paged when, and how long teams take. The plotting library is loaded for this alone."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import typer

from bridge.domain.errors import BridgeError
from bridge.engine.numbers_views import Line, Paged, Report
from bridge.observe.logs import escape

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from pygal.graph.graph import Graph

SUFFIXES = (".svg", ".png")
_WIDTH, _HEIGHT = 1000, 480
_PEOPLE, _TEAMS = 8, 20
_MOST_TEXT = 30
_UNKNOWN = "(none)"


def require_drawable(file: Path) -> None:
    """Raises BadParameter if the name does not say which picture it is to be."""
    if file.suffix.lower() not in SUFFIXES:
        raise typer.BadParameter(f"the file's name must end with {' or '.join(SUFFIXES)}", param_hint="--chart")


def draw(report: Report, file: Path) -> None:
    """Write the picture.

    Raises:
        BridgeError: a PNG is asked for, and what makes it is not installed.
        OSError: the file cannot be written.
    """
    svg = _drawn(report)
    file.write_bytes(_png(svg) if file.suffix.lower() == ".png" else svg)


def _drawn(report: Report) -> bytes:
    from xml.etree.ElementTree import Element, tostring

    charts = (_hours(report), _times(report))
    whole = Element("svg", xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {_WIDTH} {_HEIGHT * len(charts)}")
    for number, chart in enumerate(charts):
        tree: Element = chart.render_tree()
        _without_scripts(tree)
        del tree.attrib["xmlns"]
        tree.attrib.update(y=str(_HEIGHT * number), width=str(_WIDTH), height=str(_HEIGHT))
        whole.append(tree)
    drawn: bytes = tostring(whole, encoding="utf-8", xml_declaration=True)
    return drawn


def _without_scripts(tree: Element) -> None:
    """The picture does nothing but show: opened in a browser it runs nothing and loads nothing."""
    for parent in tree.iter():
        for script in parent.findall("script"):
            parent.remove(script)


def _hours(report: Report) -> Graph:
    """Pages by hour of day, one on the other by who was paged: those paged most, and the rest."""
    chart = _pygal().StackedBar(**_look(f"Pages by hour of day ({escape(report.zone)}), {_span(report)}"))
    chart.x_labels = [f"{one.hour:02}" for one in report.hours]
    most = sorted(report.people, key=lambda one: (-one.pages, one.name))
    for one in most[:_PEOPLE]:
        chart.add(_short(_who(one)), one.hours)
    if rest := most[_PEOPLE:]:
        chart.add(f"{len(rest)} others", [sum(one.hours[hour] for one in rest) for hour in range(24)])
    return chart


def _times(report: Report) -> Graph:
    """Mean times of the teams that have most incidents, and of all."""
    chart = _pygal().Bar(**_look(f"Mean times by team ({_short(report.team)}), minutes"))
    teams = sorted(report.teams, key=lambda line: (-line.incidents, line.name))[:_TEAMS]
    lines: Sequence[Line] = (report.total, *teams)
    chart.x_labels = ["all", *(_short(line.name or _UNKNOWN) for line in teams)]
    chart.add("to acknowledge", [_minutes(line.time_to_acknowledge.mean) for line in lines])
    chart.add("to resolve", [_minutes(line.time_to_resolve.mean) for line in lines])
    return chart


def _pygal() -> ModuleType:
    pygal = import_module("pygal")
    # It leaves an import hook of Python 2's form behind: every import that fails afterwards would warn of that.
    sys.meta_path[:] = [finder for finder in sys.meta_path if hasattr(finder, "find_spec")]
    return pygal


def _look(title: str) -> dict[str, object]:
    from pygal.style import Style

    font = "Helvetica, Arial, 'DejaVu Sans', sans-serif"
    style = Style(background="white", plot_background="white", font_family=font, title_font_family=font)
    return {
        "title": title, "width": _WIDTH, "height": _HEIGHT, "style": style, "js": [], "margin": 16, "truncate_legend": -1,
        "x_label_rotation": 25 if "team" in title else 0, "no_data_text": "nothing", "min_scale": 3,
    }  # fmt: skip


def _span(report: Report) -> str:
    return f"{report.since:%Y-%m-%d} to {report.until:%Y-%m-%d}"


def _who(one: Paged) -> str:
    return f"channel {one.name}" if one.kind == "channel" else one.name


def _short(text: str) -> str:
    shown = escape(text)
    return shown if len(shown) <= _MOST_TEXT else shown[: _MOST_TEXT - 1] + "…"


def _minutes(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds / 60, 1)


def _png(svg: bytes) -> bytes:
    try:
        import resvg_py
    except ImportError as error:
        raise BridgeError("a PNG needs `pip install 'alertbridge[png]'`; an SVG needs nothing more") from error
    return bytes(resvg_py.svg_to_bytes(svg_string=svg.decode(), background="#ffffff", width=_WIDTH))
