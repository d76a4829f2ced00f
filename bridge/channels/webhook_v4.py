"""Alertmanager's webhook payload, version 4, as Alertmanager 0.34 writes it.

Field order, escapes and times are its own, so that a receiver written for Alertmanager, another bridge included,
sees no difference. Source: Alertmanager's template.Data and notify/webhook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from msgspec import Struct

from bridge.domain.alert import Status
from bridge.domain.message import AlertView, Message, Reason

_OPEN = "0001-01-01T00:00:00Z"
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
_SPECIAL = re.compile(r"([\\.+*?()|\[\]{}^$])")
_REASONS: Mapping[Reason, str] = {
    Reason.OPENED: "first notification",
    Reason.REMINDER: "repeat interval elapsed",
    Reason.RESOLVED: "all alerts resolved",
}


class _Alert(Struct):
    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    startsAt: str  # noqa: N815 - the wire's name
    endsAt: str  # noqa: N815
    generatorURL: str  # noqa: N815
    fingerprint: str


class _Payload(Struct):
    receiver: str
    status: Status
    alerts: list[_Alert]
    notification_reason: str
    groupLabels: Mapping[str, str]  # noqa: N815 - the wire's names
    commonLabels: Mapping[str, str]  # noqa: N815
    commonAnnotations: Mapping[str, str]  # noqa: N815
    routeLabels: Mapping[str, str]  # noqa: N815
    externalURL: str  # noqa: N815
    version: str
    groupKey: str  # noqa: N815
    truncatedAlerts: int  # noqa: N815


VARIABLES = frozenset(
    [
        "acknowledged_by",
        "actions",
        "alerts",
        "annotations",
        "channel",
        "common_annotations",
        "common_labels",
        "external_url",
        "fired_and_resolved",
        "firing",
        "group_key",
        "group_labels",
        "incident",
        "labels",
        "note",
        "opened_at",
        "payload",
        "reason",
        "receiver",
        "resolved",
        "route",
        "severity",
        "snoozed_until",
        "source",
        "standing",
        "status",
        "text",
        "title",
        "truncated",
    ]
)
"""The names `variables` gives."""
_ENCODER = msgspec.json.Encoder(order="deterministic", enc_hook=dict)


def encode(message: Message, now: datetime) -> bytes:
    """The body. `now` stands in for the end of a resolved alert that has none."""
    return _ENCODER.encode(_payload(message, now))


def variables(message: Message, now: datetime) -> dict[str, object]:
    """What a body template may name: all that `title` and `text` may, what became of those, and our own payload."""
    return {
        "acknowledged_by": message.acknowledged_by,
        "actions": message.actions,
        "alerts": message.alerts,
        "annotations": message.common_annotations,
        "channel": message.channel,
        "common_annotations": message.common_annotations,
        "common_labels": message.common_labels,
        "external_url": message.external_url,
        "fired_and_resolved": message.fired_and_resolved,
        "firing": message.firing,
        "group_key": message.group_key,
        "group_labels": message.group_labels,
        "incident": message.incident,
        "labels": message.common_labels,
        "note": message.note,
        "opened_at": message.opened_at,
        "payload": encode(message, now).decode(),
        "reason": message.reason,
        "receiver": message.receiver,
        "resolved": message.resolved,
        "route": message.route,
        "severity": message.severity,
        "snoozed_until": message.snoozed_until,
        "source": message.source,
        "standing": message.standing,
        "status": message.status,
        "text": message.text,
        "title": message.title,
        "truncated": message.truncated,
    }


def _payload(message: Message, now: datetime) -> _Payload:
    return _Payload(
        _quoted(message.receiver),
        message.status,
        [_alert(view, now) for view in message.alerts],
        _REASONS.get(message.reason) or _change(message),
        message.group_labels,
        message.common_labels,
        message.common_annotations,
        {},
        message.external_url,
        "4",
        message.group_key or _group_key(message.group_labels.items()),
        message.truncated,
    )


def _alert(view: AlertView, now: datetime) -> _Alert:
    return _Alert(
        view.status,
        view.labels,
        view.annotations,
        _time(view.starts_text, view.starts_at),
        _OPEN if view.status is Status.FIRING else _time(view.ends_text if view.ends_at else "", view.ends_at or now),
        view.generator_url,
        view.fingerprint,
    )


def _change(message: Message) -> str:
    if message.reason is not Reason.CHANGED:
        return "unknown"
    return "some alerts resolved" if message.resolved else "new alerts added"


def _time(text: str, moment: datetime) -> str:
    """The sender's own writing where it is RFC 3339 (it may have nanoseconds), else as Go writes the moment."""
    if _RFC3339.fullmatch(text):
        return text
    moment = moment.astimezone(UTC)
    fraction = f".{moment.microsecond:06}".rstrip("0") if moment.microsecond else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}".rjust(19, "0") + f"{fraction}Z"


@lru_cache(maxsize=1024)
def _quoted(receiver: str) -> str:
    """Go's regexp.QuoteMeta."""
    return _SPECIAL.sub(r"\\\1", receiver)


def _group_key(labels: Iterable[tuple[str, str]]) -> str:
    """The key of a group at the root route: `{}:{alertname="HighCPU"}`."""
    pairs = ", ".join(f"{name}={msgspec.json.encode(value).decode()}" for name, value in sorted(labels))
    return f"{{}}:{{{pairs}}}"
