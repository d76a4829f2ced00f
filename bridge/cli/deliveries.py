"""`alertbridge deliveries`: what was sent, what waits, what died."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli import replay
from bridge.cli.choices import chosen
from bridge.cli.letters import Channel, Incident, Reason, Since, Until, filters
from bridge.cli.remote import AsJson, ConfigOption, Declined, TokenOption, Url, connect, login, segment
from bridge.cli.tables import local, show_table
from bridge.engine.queries import DELIVERY_STATES
from bridge.engine.views import DeliveryPage, DeliveryView
from bridge.observe.logs import escape

app = typer.Typer(
    help="Deliveries of a running bridge, dead letters among them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)

_PATH = "/api/v1/deliveries"


@app.command("list")
def list_deliveries(
    state: Annotated[
        list[str] | None,
        typer.Option("--state", help="pending, leased, sent, dead, superseded, cancelled, expired, parked"),
    ] = None,
    *,
    channel: Channel = "",
    incident: Incident = "",
    since: Since = "",
    until: Until = "",
    reason: Reason = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 100,
    cursor: Annotated[str, typer.Option("--cursor", help="`next` of the page before")] = "",
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """List deliveries, newest first."""
    asked = [*filters(channel, incident, reason, since, until).items(), ("cursor", cursor), ("limit", str(limit))]
    asked.extend(("state", name) for name in chosen("--state", state, DELIVERY_STATES))
    page = connect(url, token, config).get(_PATH, DeliveryPage, asked)
    if as_json:
        typer.echo(msgspec.json.encode(page))
        return
    show_deliveries(page.deliveries)
    if page.next is not None:
        typer.echo(f"there are more: --cursor {page.next}")


@app.command("retry")
def retry(
    deliveries: Annotated[
        list[str], typer.Argument(metavar="DELIVERY...", help="ids, as `deliveries list` shows them")
    ],
    by: Annotated[
        str | None, typer.Option("--by", help="who acts, where no token says so; your login name if absent")
    ] = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Send dead or parked deliveries again, with the state as it is now."""
    remote = connect(url, token, config)
    refused = False
    for delivery in deliveries:
        try:
            view = remote.post(f"{_PATH}/{segment(delivery)}/retry", DeliveryView, {"by": by or login()})
        except Declined as error:
            typer.echo(escape(f"{delivery}: {error}"), err=True)
            refused = True
            continue
        typer.echo(msgspec.json.encode(view) if as_json else escape(_retried(view)))
    if refused:
        raise typer.Exit(1)


app.command("replay")(replay.replay)


def _retried(view: DeliveryView) -> str:
    if view.state == "superseded":
        return f"{view.id}: superseded, another delivery to {view.channel} tells it or has told it"
    return f"{view.id}: {view.state}, to {view.channel}"


def show_deliveries(deliveries: tuple[DeliveryView, ...]) -> None:
    """Print them as a table."""
    show_table(
        (
            "DELIVERY",
            "INCIDENT",
            "CHANNEL",
            "FOR",
            "REASON",
            "STATE",
            "WHY",
            "ATTEMPTS",
            "PLANNED",
            "DUE",
            "LAST ERROR",
        ),
        (
            (
                one.id,
                one.incident,
                one.channel,
                one.person,
                one.reason,
                one.state,
                one.end_reason,
                str(one.attempts),
                local(one.created_at),
                local(one.due_at),
                one.last_error,
            )
            for one in deliveries
        ),
    )
