"""`alertbridge report`: how fast people acknowledge and resolve, and how often they are paged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from bridge.cli.progress import progress_bar
from bridge.cli.remote import AsJson, ConfigOption, Remote, TokenOption, Unreachable, Url, connect
from bridge.cli.report_chart import draw, require_drawable
from bridge.cli.tables import show_table
from bridge.domain.duration import format_duration
from bridge.engine.numbers_views import Line, Paged, Report, Times
from bridge.http.report import LINES
from bridge.http.report import Line as Answer

_PATH = "/api/v1/report"
_TIME = "TIME|DURATION"
_BARS = 30

Since = Annotated[str, typer.Option("--since", metavar=_TIME, help="from 2026-01-31T12:00:00Z on, or the last 30d")]
Until = Annotated[str, typer.Option("--until", metavar=_TIME, help="until before then; now if absent")]
Zone = Annotated[str, typer.Option("--zone", help="hours of the day are those of this time zone: Europe/Berlin")]
Chart = Annotated[Path | None, typer.Option("--chart", metavar="FILE.svg|FILE.png", help="draw it as well")]
Team = Annotated[str, typer.Option("--team", metavar="LABEL", help="the label that says whose an incident is")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    since: Since = "30d",
    until: Until = "",
    zone: Zone = "UTC",
    team: Team = "team",
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    chart: Chart = None,
    as_json: AsJson = False,
) -> None:
    """Show times to acknowledge and to resolve, and pages by person and hour of day, by route and by team."""
    if chart is not None:
        require_drawable(chart)
    found = _ask(connect(url, token, config), [("since", since), ("until", until), ("zone", zone), ("team", team)])
    if as_json:
        typer.echo(msgspec.json.encode(found))
    else:
        _show(found)
    if chart is not None:
        draw(found, chart)


def _ask(remote: Remote, query: Sequence[tuple[str, str]]) -> Report:
    with progress_bar() as progress:
        for line in remote.lines(_PATH, Answer, query, LINES):
            if line.counted is not None:
                progress("counting incidents", line.counted.done, line.counted.total)
            if line.report is not None:
                return line.report
    raise Unreachable("the answer ended before the report: the bridge could not go on counting, or has stopped")


def _show(found: Report) -> None:
    typer.echo(f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC")
    if found.recorded_since is None or found.recorded_since > found.since:
        kept = f"{found.recorded_since:%Y-%m-%d %H:%M} UTC" if found.recorded_since else "now"
        typer.echo(f"records begin at {kept}: what was before is not counted")
    _show_lines("ALL", [msgspec.structs.replace(found.total, name="all")])
    _show_lines("ROUTE", found.routes)
    _show_lines(f"TEAM ({found.team})", found.teams)
    show_table(
        ("PAGED", "PAGES", "INCIDENTS", "BUSIEST HOUR"),
        ((_paged(one), str(one.pages), str(one.incidents), _busiest(one)) for one in found.people),
    )
    show_table(
        ("ACKNOWLEDGED BY", "INCIDENTS", "MEAN", "MEDIAN", "90 %"),
        ((one.name, str(one.acknowledged), *_times(one.time_to_acknowledge)) for one in found.responders),
    )
    most = max((one.pages for one in found.hours), default=0)
    show_table(
        (f"HOUR ({found.zone})", "PAGES", "INCIDENTS", ""),
        (
            (
                f"{one.hour:02}",
                str(one.pages),
                str(one.incidents),
                "█" * round(_BARS * one.pages / most) if most else "",
            )
            for one in found.hours
        ),
    )


def _show_lines(what: str, lines: Sequence[Line]) -> None:
    show_table(
        (
            what, "INCIDENTS", "ACKED", "NOT ACKED", "WAITING", "UNTOLD", "PAGES", "MTTA", "MEDIAN", "90 %", "MTTR", "MEDIAN",
            "90 %",
        ),
        (
            (
                one.name, str(one.incidents), str(one.acknowledged), str(one.unacknowledged), str(one.waiting), str(one.untold),
                str(one.pages), *_times(one.time_to_acknowledge), *_times(one.time_to_resolve),
            )
            for one in lines
        ),
    )  # fmt: skip


def _times(times: Times) -> tuple[str, str, str]:
    return _duration(times.mean), _duration(times.median), _duration(times.p90)


def _duration(seconds: float | None) -> str:
    return "-" if seconds is None else format_duration(timedelta(seconds=round(seconds)))


def _paged(one: Paged) -> str:
    return f"channel {one.name}" if one.kind == "channel" else one.name


def _busiest(one: Paged) -> str:
    most = max(one.hours)
    return f"{one.hours.index(most):02}:00 ({most})"
