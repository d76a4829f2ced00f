"""`alertbridge incidents`: what a running bridge has open, and acting on it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from bridge.cli import incident_acts
from bridge.cli.choices import chosen
from bridge.cli.incident_acts import PATH
from bridge.cli.remote import AsJson, ConfigOption, TokenOption, Url, connect, segment
from bridge.cli.tables import local, pairs, show_table
from bridge.engine.queries import INCIDENT_STATES
from bridge.engine.views import IncidentDetail, IncidentPage, Pending
from bridge.observe.logs import escape

app = typer.Typer(
    help="Incidents of a running bridge.", no_args_is_help=True, add_completion=False, rich_markup_mode=None
)

_NOT_RESOLVED = tuple(state for state in INCIDENT_STATES if state != "resolved")


@app.command("list")
def list_incidents(
    query: Annotated[
        str, typer.Argument(metavar="[QUERY]", help="label matchers, or text that the labels contain")
    ] = "",
    state: Annotated[list[str] | None, typer.Option("--state", help="open, acknowledged, snoozed, resolved")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000)] = 100,
    cursor: Annotated[str, typer.Option("--cursor", help="`next` of the page before")] = "",
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """List incidents, newest first; those not resolved unless --state says otherwise."""
    states = chosen("--state", state, INCIDENT_STATES) or _NOT_RESOLVED
    asked = [("q", query), ("cursor", cursor), ("limit", str(limit)), *(("state", name) for name in states)]
    page = connect(url, token, config).get(PATH, IncidentPage, asked)
    if as_json:
        typer.echo(msgspec.json.encode(page))
        return
    show_table(
        ("INCIDENT", "STATE", "SEVERITY", "OPENED", "FIRING", "LABELS", "ACKNOWLEDGED BY"),
        (
            (
                one.id,
                one.state,
                one.severity,
                local(one.opened_at),
                str(one.alerts.firing),
                pairs({**one.labels, **one.group_labels}),
                one.acknowledged_by or "",
            )
            for one in page.incidents
        ),
    )
    if page.next is not None:
        typer.echo(f"there are more: --cursor {page.next}")


@app.command("show")
def show_incident(
    incident: Annotated[str, typer.Argument()],
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show one incident with its alerts, deliveries and timeline."""
    detail = connect(url, token, config).get(f"{PATH}/{segment(incident)}", IncidentDetail)
    if as_json:
        typer.echo(msgspec.json.encode(detail))
        return
    one = detail.incident
    by = f" by {one.acknowledged_by}" if one.acknowledged_by else ""
    by += f" until {local(one.snoozed_until)}" if one.snoozed_until else ""
    owner = f", assigned to {one.owner}" if one.owner else ""
    typer.echo(escape(f"{one.id}: {one.state}{by}{owner}, opened {local(one.opened_at)}, route {one.route}"))
    show_table(
        ("ALERT", "STATUS", "SINCE", "UNTIL", "LABELS", "HIDDEN"),
        (
            (
                alert.fingerprint,
                alert.status,
                alert.starts_at,
                alert.ends_at or "",
                pairs(alert.labels),
                f"{alert.hidden} by {alert.hidden_by}" if alert.hidden_by else alert.hidden,
            )
            for alert in detail.alerts
        ),
    )
    show_table(
        ("CHANNEL", "ALERT", "WAS TOLD"),
        (
            (told.channel, told.fingerprint, f"{told.status}, of an earlier firing" if told.before else told.status)
            for told in detail.told
        ),
    )
    show_table(
        ("DELIVERY", "CHANNEL", "REASON", "STATE", "WHY", "ATTEMPTS", "LAST ERROR"),
        (
            (sent.id, sent.channel, sent.reason, sent.state, sent.end_reason, str(sent.attempts), sent.last_error)
            for sent in detail.deliveries
        ),
    )
    if detail.responders:
        show_table(("CALLED", "AT", "BY"), ((one.who, local(one.at), one.by) for one in detail.responders))
    if detail.comments:
        show_table(("COMMENT", "AT", "BY"), ((said.text, local(said.at), said.by) for said in detail.comments))
    show_table(
        ("AT", "WHAT", "WHO", "CHANNEL", "REASON", "DETAIL"),
        (
            (local(entry.at), entry.kind, entry.actor, entry.channel, entry.reason, entry.detail)
            for entry in detail.timeline
        ),
    )
    if detail.pending:
        show_table(("STILL TO COME", "WHAT", "WHY", "DETAIL"), (_pending(one) for one in detail.pending))


def _pending(one: Pending) -> tuple[str, str, str, str]:
    at = f"paused, {one.left or 0:.0f} s left" if one.paused else local(one.at)
    return at, one.what, one.why, one.detail


incident_acts.register(app)
