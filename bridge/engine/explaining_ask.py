"""What is asked of a dry run: one alert in a few words, or what a sender would post."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from msgspec import Raw, Struct, field

from bridge.config.model import Config
from bridge.domain.alert import API, Alert, Status, Webhook, fingerprint
from bridge.domain.errors import BridgeError, IngestError
from bridge.ingest.api_v2 import parse_alerts
from bridge.ingest.labels import find_problem, without_empty
from bridge.ingest.swagger import SwaggerError
from bridge.ingest.times import parse_time
from bridge.ingest.webhook import parse

MAX_ALERTS = 100
"""In one question."""
DEFAULT_SOURCE = "default"
GROUPED_BY = "alertname"
_FAR = ("0001", "9998")


class BadAsk(BridgeError):  # noqa: N818 - reads as what it is
    """The question makes no sense; the message says why."""


class Ask(Struct, frozen=True, forbid_unknown_fields=True):
    """Either `labels` (and `annotations`, `status`) of one alert, or the `payload` that a sender would post: a webhook's
    body, or a list of alerts as API v2 takes and gives it.

    `source` is who sends it: a name under `sources:`, or `api` for API v2. `at` is the moment, RFC 3339; now if empty.
    Without `io` hooks that wait for other services are not run. `fresh`: as if the alerts were never heard of, and no
    incident were open; what is silenced, muted or inhibited is so all the same.
    """

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    status: Literal["firing", "resolved"] = "firing"
    payload: Raw = field(default_factory=Raw)
    source: str = ""
    at: str = ""
    io: bool = True
    fresh: bool = False


def moment_of(ask: Ask, now: datetime) -> datetime:
    """The moment that is asked about.

    Raises:
        BadAsk: it is none.
    """
    if not ask.at:
        return now
    try:
        found = parse_time(ask.at)
    except ValueError as error:
        raise BadAsk(f"at {error}") from error
    if found is None or not _FAR[0] < f"{found.year:04}" < _FAR[1]:
        raise BadAsk("at is no moment at which anything could happen")
    return found


def request_of(ask: Ask, config: Config, now: datetime) -> Webhook:
    """The request that would come.

    Raises:
        BadAsk: it is none, or has no alert or too many.
    """
    body = bytes(ask.payload)
    if bool(body) is bool(ask.labels):
        raise BadAsk("give the labels of one alert, or the payload of a sender; not both")
    found = _posted(ask, body, config, now) if body else _alone(ask, config, now)
    if not found.alerts:
        problem = found.quarantined[0].problem if found.quarantined else "there is none in it"
        raise BadAsk(f"no alert can be understood: {problem}")
    if len(found.alerts) > MAX_ALERTS:
        raise BadAsk(f"{len(found.alerts)} alerts are too many for one question; at most {MAX_ALERTS}")
    return found


def _posted(ask: Ask, body: bytes, config: Config, now: datetime) -> Webhook:
    try:
        if body.lstrip().startswith(b"["):
            if ask.source not in {"", API}:
                raise BadAsk(f"a list of alerts comes over API v2: its source is {API}")
            return parse_alerts(body, now, config.resolve_timeout).webhook
        source = _source(ask.source, config)
        if source == API:
            raise BadAsk("API v2 takes a list of alerts, not a webhook's body")
        settings = config.sources.get(source)
        return parse(settings.type if settings else "auto", body, source, now)
    except (IngestError, SwaggerError) as error:
        raise BadAsk(f"the payload cannot be read: {error}") from error


def _alone(ask: Ask, config: Config, now: datetime) -> Webhook:
    """One alert, grouped by its name as senders do unless they are told otherwise."""
    labels = without_empty(dict(ask.labels))
    if not labels:
        raise BadAsk("an alert has at least one label with a value")
    for name, pairs in (("labels", labels), ("annotations", ask.annotations)):
        if problem := find_problem(dict(pairs), 2**20):
            raise BadAsk(f"the set of {name} {problem}")
    source = _source(ask.source, config)
    status = Status(ask.status)
    alert = Alert(
        source, "", fingerprint(labels), status, labels, dict(ask.annotations), now,
        now if status is Status.RESOLVED else None,
    )  # fmt: skip
    if source == API:
        return Webhook(API, "api_v2", (alert,))
    grouped = {GROUPED_BY: labels[GROUPED_BY]} if GROUPED_BY in labels else {}
    return Webhook(source, "alertmanager", (alert,), group_labels=grouped)


def _source(named: str, config: Config) -> str:
    """Who sends it: where nobody says, the source `default`, else the first there is."""
    if named == API or named in config.sources:
        return named
    if named:
        raise BadAsk(f"there is no source {named!r}; there are: {', '.join((*config.sources, API))}")
    return DEFAULT_SOURCE if DEFAULT_SOURCE in config.sources else next(iter(config.sources), API)
