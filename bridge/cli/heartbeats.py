"""`alertbridge heartbeats`: how the heartbeats of a running bridge are."""

from __future__ import annotations

import msgspec
import typer

from bridge.cli.remote import AsJson, ConfigOption, TokenOption, Url, connect
from bridge.cli.tables import local, show_table
from bridge.engine.heartbeat_book import HeartbeatList

app = typer.Typer(
    help="Heartbeats of a running bridge.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)


@app.callback()
def _describe() -> None:
    """Heartbeats of a running bridge."""


@app.command("list")
def list_heartbeats(
    url: Url = None, token: TokenOption = None, config: ConfigOption = None, *, as_json: AsJson = False
) -> None:
    """List heartbeats: whether each comes, is awaited or missing, and when it is missing if nothing comes."""
    found = connect(url, token, config).get("/api/v1/heartbeats", HeartbeatList)
    if as_json:
        typer.echo(msgspec.json.encode(found))
        return
    show_table(
        ("HEARTBEAT", "STATE", "EVERY", "GRACE", "LAST HEARD", "MISSING AT", "MISSING SINCE"),
        (
            (
                one.name,
                one.state.value,
                one.every,
                one.grace,
                local(one.last_at),
                local(one.due_at),
                local(one.missing_since),
            )
            for one in found.heartbeats
        ),
    )
