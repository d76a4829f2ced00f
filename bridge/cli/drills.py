"""`alertbridge drills`: how the fire drills of a running bridge went, and one by hand."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli.remote import AsJson, ConfigOption, TokenOption, Url, connect, segment
from bridge.cli.tables import local, show_table
from bridge.engine.drill_book import DrillList, DrillView
from bridge.observe.logs import escape

app = typer.Typer(
    help="Fire drills of a running bridge.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_PATH = "/api/v1/drills"


@app.command("list")
def list_drills(
    url: Url = None, token: TokenOption = None, config: ConfigOption = None, *, as_json: AsJson = False
) -> None:
    """List drills: when each is next, and how the last one went."""
    found = connect(url, token, config).get(_PATH, DrillList)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    show_table(
        ("DRILL", "NEXT", "RUNNING SINCE", "LAST", "RESULT", "DELIVERED", "ACKNOWLEDGED", "WHY"),
        (_row(one) for one in found.drills),
    )


@app.command("run")
def run_drill(
    name: Annotated[str, typer.Argument(help="a name under `drills:`")],
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Begin a drill now, whatever the hour; `drills list` tells its result. Exit 1 if it is under way already."""
    held = connect(url, token, config).post(f"{_PATH}/{segment(name)}", DrillView, {})
    typer.echo(msgspec.json.encode(held) if as_json else escape(f"{held.name}: begun {local(held.running_since)}"))


def _row(one: DrillView) -> tuple[str, ...]:
    planned = (one.name, local(one.next_at), local(one.running_since))
    if not one.results:
        return (*planned, "", "", "", "", "")
    last = one.results[0]
    return (
        *planned,
        local(last.at),
        last.outcome,
        _after(last.delivered_ms),
        _after(last.acknowledged_ms),
        last.detail,
    )


def _after(milliseconds: int | None) -> str:
    return "" if milliseconds is None else f"after {milliseconds / 1000:.1f} s"
