"""`alertbridge fire`: a sample alert, posted to a running bridge, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from bridge.cli.deliveries import show_deliveries
from bridge.cli.remote import AsJson, ConfigOption, Declined, Remote, TokenOption, Url, connect, segment
from bridge.cli.samples import GROUPED_BY, pairs, sample, sample_labels
from bridge.domain.alert import fingerprint
from bridge.domain.secret import Secret
from bridge.engine.views import Accepted, DeliveryView, IncidentDetail, IncidentPage
from bridge.observe.logs import escape

_EVERY = 0.25
_ON_THE_WAY = frozenset({"pending", "leased"})
_FAILED = frozenset({"dead", "parked"})
_STOPPED = frozenset({"stale", "suppressed", "held"})
_LOOKED_AT = 20

Labels = Annotated[list[str], typer.Argument(metavar="LABEL=VALUE...", help="a first word without = is the alertname")]
Annotations = Annotated[list[str] | None, typer.Option("--annotation", metavar="NAME=VALUE", help="repeatable")]


class Outcome(msgspec.Struct, frozen=True):
    """What `--json` prints. `incident` is empty if it could not be looked up; `deliveries` are those of this request.

    `why` says what stopped or holds it, where a hook did: `held (hook_error:enrich)`.
    """

    request: Accepted
    incident: str
    state: str
    deliveries: tuple[DeliveryView, ...]
    why: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fire")(fire)


def fire(
    labels: Labels,
    annotation: Annotations = None,
    source: Annotated[str, typer.Option("--source", help="post to /webhook/SOURCE instead of /webhook")] = "",
    source_token: Annotated[
        str | None,
        typer.Option("--source-token", envvar="ALERTBRIDGE_SOURCE_TOKEN", help="for the webhook, if not --token"),
    ] = None,
    wait: Annotated[float, typer.Option("--wait", min=0, max=600, help="seconds to follow the deliveries")] = 5.0,
    url: Url = None,
    token: TokenOption = None,
    config: ConfigOption = None,
    *,
    resolve: Annotated[bool, typer.Option("--resolve", help="end the alert that the same labels fired")] = False,
    as_json: AsJson = False,
) -> None:
    """Post a sample alert to a running bridge. Shows whom it reached; exit 1 if it was refused or did not arrive."""
    named, notes = sample_labels(labels), pairs(annotation or [])
    remote = connect(url, token, config)
    key = fingerprint(named)
    may_look, before = _look(remote, named, key)
    payload = sample(
        named,
        notes,
        now=datetime.now(UTC),
        resolved=resolve,
        started=_started(before, key),
    )
    path = f"/webhook/{segment(source)}" if source else "/webhook"
    accepted = remote.post(path, Accepted, payload, token=Secret(source_token) if source_token else None)
    known = frozenset(sent.id for sent in before.deliveries) if before else frozenset()
    seen = max((entry.seq for entry in before.timeline), default=0) if before else 0
    news = accepted.accepted > accepted.duplicates
    after = _follow(remote, named, key, known, wait if news else 0) if may_look else None
    outcome = _outcome(accepted, after, known, seen)
    _show(outcome, looked_up=after is not None, as_json=as_json)
    if not accepted.accepted or any(_failed(sent) for sent in outcome.deliveries):
        raise typer.Exit(1)


def _look(remote: Remote, labels: Mapping[str, str], key: str) -> tuple[bool, IncidentDetail | None]:
    """Whether this token may see incidents, and what `_find` finds then."""
    try:
        return True, _find(remote, labels, key)
    except Declined:
        return False, None


def _find(remote: Remote, labels: Mapping[str, str], key: str) -> IncidentDetail | None:
    """The newest incident with this alert."""
    quoted = labels[GROUPED_BY].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    query = [("q", f'{GROUPED_BY}="{quoted}"'), ("limit", str(_LOOKED_AT))]
    for summary in remote.get("/api/v1/incidents", IncidentPage, query).incidents:
        detail = remote.get(f"/api/v1/incidents/{segment(summary.id)}", IncidentDetail)
        if any(alert.fingerprint == key for alert in detail.alerts):
            return detail
    return None


def _started(incident: IncidentDetail | None, key: str) -> str:
    """When the alert began to fire, in the bridge's words; empty if it does not fire."""
    found = [alert for alert in incident.alerts if alert.fingerprint == key] if incident else []
    return found[0].starts_at if found else ""


def _follow(
    remote: Remote, labels: Mapping[str, str], key: str, known: frozenset[str], wait: float
) -> IncidentDetail | None:
    """Look until nothing new is on the way, or the time is over."""
    deadline = time.monotonic() + wait
    while True:
        detail = _find(remote, labels, key)
        new = _new(detail, known) if detail else ()
        if (
            new and all(sent.attempts or sent.state not in _ON_THE_WAY for sent in new)
        ) or time.monotonic() >= deadline:
            return detail
        time.sleep(_EVERY)


def _new(detail: IncidentDetail, known: frozenset[str]) -> tuple[DeliveryView, ...]:
    return tuple(sent for sent in detail.deliveries if sent.id not in known)


def _failed(sent: DeliveryView) -> bool:
    return sent.state in _FAILED or (sent.state in _ON_THE_WAY and bool(sent.last_error))


def _outcome(accepted: Accepted, detail: IncidentDetail | None, known: frozenset[str], seen: int) -> Outcome:
    if detail is None:
        return Outcome(accepted, "", "", ())
    stopped = [entry for entry in detail.timeline if entry.seq > seen and entry.kind in _STOPPED]
    why = f"{stopped[-1].kind} ({stopped[-1].reason})" if stopped else ""
    return Outcome(accepted, detail.incident.id, detail.incident.state, _new(detail, known), why)


def _show(outcome: Outcome, *, looked_up: bool, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(outcome))
        return
    request = outcome.request
    counts = f"accepted {request.accepted}, duplicates {request.duplicates}, quarantined {request.quarantined}"
    typer.echo(f"request {request.id}: {counts}")
    if not looked_up:
        typer.echo("no incident to show: it was suppressed, or the role viewer is missing")
        return
    typer.echo(f"incident {outcome.incident}: {outcome.state}")
    if outcome.deliveries:
        show_deliveries(outcome.deliveries)
    else:
        typer.echo(escape(f"nobody was told: {outcome.why or 'this was no news'}"))
