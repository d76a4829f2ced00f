"""What a workflow's actions are told: dicts, lists and texts, made anew for every attempt, for `json.dumps` as it is.

The keys are documented in docs/workflows.md.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from bridge.domain.message import AlertView, Message


class Words(dict[str, str]):
    """The message: `title`, `text` and `note`. As a text it is all of them, one below the other."""

    def __str__(self) -> str:
        return "\n".join(value for value in (self["title"], self["note"], self["text"]) if value)


class Attempted(Struct, frozen=True):
    """Which attempt this is. `number` counts from 1; `key` is the same for every attempt of one delivery."""

    workflow: str
    number: int
    key: str
    now: datetime
    plain: bool = False


def context_of(message: Message, attempted: Attempted) -> dict[str, Any]:
    """The context of one attempt. Nothing in it is shared with the bridge: an action may change what it likes."""
    return {
        "workflow": attempted.workflow,
        "message": Words(title=message.title, text=message.text, note=message.note),
        "reason": message.reason.value,
        "status": message.status.value,
        "severity": message.severity,
        "alerts": [_alert(alert) for alert in message.alerts],
        "incident": _incident(message),
        "labels": dict(message.common_labels),
        "annotations": dict(message.common_annotations),
        "attempt": attempted.number,
        "idempotency_key": attempted.key,
        "now": _instant(attempted.now),
        "plain": attempted.plain,
    }


def _alert(alert: AlertView) -> dict[str, Any]:
    return {
        "name": alert.name,
        "status": alert.status.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "starts_at": alert.starts_text or _instant(alert.starts_at),
        "ends_at": alert.ends_text or (None if alert.ends_at is None else _instant(alert.ends_at)),
        "generator_url": alert.generator_url,
        "fingerprint": alert.fingerprint,
    }


def _incident(message: Message) -> dict[str, Any]:
    return {
        "id": message.incident,
        "status": message.status.value,
        "severity": message.severity,
        "opened_at": _instant(message.opened_at),
        "acknowledged_by": message.acknowledged_by,
        "source": message.source,
        "route": message.route,
        "receiver": message.receiver,
        "group_labels": dict(message.group_labels),
        "group_key": message.group_key,
        "dedup": message.dedup,
        "truncated_alerts": message.truncated,
        "url": message.external_url,
        "actions": {action.deed.value: action.url for action in message.actions if action.url},
    }


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
