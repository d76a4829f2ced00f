"""`alertbridge incidents ack` and its like: acting on the incidents of a running bridge."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

import msgspec
import typer

from bridge.cli.at_time import moment_of
from bridge.cli.remote import AsJson, ConfigOption, Declined, Remote, TokenOption, Url, connect, login, segment
from bridge.cli.samples import pairs
from bridge.engine.views import IncidentDetail
from bridge.observe.logs import escape

PATH = "/api/v1/incidents"

Ids = Annotated[list[str], typer.Argument(metavar="INCIDENT...", help="ids, as `incidents list` shows them")]
By = Annotated[str | None, typer.Option("--by", help="who acts, where no token says so; your login name if absent")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    _plain(app, "acknowledge", "ack", "acknowledged", "Acknowledge: reminders and escalation stop.")
    _plain(app, "unacknowledge", "unack", "open again", "Take an acknowledgement or a snooze back.")
    _plain(app, "resolve", "resolve", "resolved", "End incidents by hand.")
    _plain(app, "escalate", "escalate", "escalated", "Take the escalation's next step at once.")
    app.command("snooze")(snooze)
    app.command("comment")(comment)
    app.command("assign")(assign)
    app.command("call")(call)
    app.command("page")(page)


def snooze(
    incidents: Ids,
    span: Annotated[str, typer.Option("--for", metavar="DURATION", help="how long: 30m, 2h")] = "",
    until: Annotated[
        str, typer.Option("--until", metavar="TIME", help="2026-10-25T08:00 by your clocks, or with its offset")
    ] = "",
    by: By = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Acknowledge for a time: at its end they are open again, and the escalation goes on."""
    if bool(span) is bool(until):
        raise typer.BadParameter("give --for DURATION or --until TIME")
    end = moment_of(until, None).astimezone(UTC).isoformat() if until else ""
    _each(connect(url, token, config), incidents, "snooze", "snoozed", {"for": span, "until": end}, by, as_json=as_json)


def comment(
    incident: Annotated[str, typer.Argument()],
    text: Annotated[str, typer.Argument(help="what is to be kept with it")],
    by: By = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say something about an incident; it is kept with it."""
    _each(connect(url, token, config), [incident], "comment", "kept", {"text": text}, by, as_json=as_json)


def assign(
    incidents: Ids,
    to: Annotated[str, typer.Option("--to", metavar="NAME", help="whose they are")],
    by: By = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Say whose incidents they are."""
    _each(connect(url, token, config), incidents, "assign", f"assigned to {to}", {"to": to}, by, as_json=as_json)


def call(
    incident: Annotated[str, typer.Argument()],
    who: Annotated[str, typer.Argument(help="a receiver, a channel, a person, or on_call/SCHEDULE")],
    by: By = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Call somebody to an incident: they hear of it now, and of its end."""
    _each(connect(url, token, config), [incident], "responders", f"{who} is called", {"who": who}, by, as_json=as_json)


def page(
    title: Annotated[str, typer.Argument(help="what is the matter, on one line")],
    *,
    text: Annotated[str, typer.Option("--text", help="more words")] = "",
    severity: Annotated[str, typer.Option("--severity")] = "",
    label: Annotated[list[str] | None, typer.Option("--label", metavar="NAME=VALUE", help="repeatable")] = None,
    receiver: Annotated[
        str,
        typer.Option(
            "--receiver",
            metavar="NAME",
            help="a receiver, a channel, a person, or on_call/SCHEDULE; else the labels are routed",
        ),
    ] = "",
    key: Annotated[str, typer.Option("--key", help="with the key of a page that goes on, it is that page")] = "",
    by: By = None,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    as_json: AsJson = False,
) -> None:
    """Page somebody by hand: an incident that no alert opened."""
    asked = {
        "title": title, "text": text, "severity": severity, "labels": pairs(label or []), "receiver": receiver, "key": key,
        "by": by or login(), "via": "cli",
    }  # fmt: skip
    try:
        detail = connect(url, token, config).post(PATH, IncidentDetail, asked)
    except Declined as error:
        typer.echo(escape(str(error)), err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(msgspec.json.encode(detail))
        return
    one = detail.incident
    typer.echo(escape(f"{one.id}: {detail.note or f'opened, {one.receiver} is told'}"))


def _plain(app: typer.Typer, verb: str, command: str, done: str, text: str) -> None:
    def act(
        incidents: Ids,
        by: By = None,
        url: Url = None,
        token: TokenOption = None,
        config: ConfigOption = None,
        *,
        as_json: AsJson = False,
    ) -> None:
        _each(connect(url, token, config), incidents, verb, done, {}, by, as_json=as_json)

    act.__doc__ = text
    app.command(command)(act)


def _each(
    remote: Remote,
    incidents: list[str],
    verb: str,
    done: str,
    document: dict[str, str],
    by: str | None,
    *,
    as_json: bool,
) -> None:
    """Do the same to each; exit 1 if the bridge declined one of them."""
    asked = {**document, "by": by or login(), "via": "cli"}
    refused = [one for one in incidents if not _act(remote, one, verb, done, asked, as_json=as_json)]
    if refused:
        raise typer.Exit(1)


def _act(remote: Remote, incident: str, verb: str, done: str, document: dict[str, str], *, as_json: bool) -> bool:
    try:
        detail = remote.post(f"{PATH}/{segment(incident)}/{verb}", IncidentDetail, document)
    except Declined as error:
        typer.echo(escape(f"{incident}: {error}"), err=True)
        return False
    if as_json:
        typer.echo(msgspec.json.encode(detail))
    else:
        typer.echo(escape(f"{incident}: {detail.note or done}"))
    return True
