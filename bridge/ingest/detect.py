"""Whose body it is."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from bridge.domain.errors import IngestError, IngestReason

Format = Literal["auto", "alertmanager", "grafana"]
Detected = Literal["alertmanager", "grafana"]

_BY_VERSION: Final[dict[str, Detected]] = {"4": "alertmanager", "1": "grafana"}
_TITLES = {"alertmanager": 'Alertmanager\'s webhook (version "4")', "grafana": 'Grafana\'s webhook (version "1")'}
_WANTED = 'this endpoint takes Alertmanager\'s webhook (an object with "version": "4" and "alerts") or Grafana\'s'


def detect(version: str | None, wanted: Format) -> Detected:
    """The format a body's `version` tells; it must be the wanted one unless that is `auto`.

    Raises:
        IngestError: `WRONG_FORMAT`.
    """
    if version is None:
        raise _wrong(f'there is no "version"; {_WANTED}')
    found = _BY_VERSION.get(version)
    if found is None:
        raise _wrong(f'"version" is neither "4" (Alertmanager) nor "1" (Grafana); {_WANTED}')
    if wanted not in {"auto", found}:
        raise _wrong(
            f"this source takes {_TITLES[wanted]}, the body is {_TITLES[found]}: "
            f"give the source the type {found}, or send to another source"
        )
    return found


def foreign(body: bytes) -> str:
    """What to say of JSON that is no webhook body of ours: what it looks like, and where it belongs."""
    names = _names(body)
    if names is None:
        if body.lstrip().startswith(b"["):
            return (
                "the body is a JSON list. That is what Prometheus posts to an Alertmanager's /api/v2/alerts; "
                f"{_WANTED}. Let Prometheus send to an Alertmanager, and that one's webhook receiver to this endpoint"
            )
        return f"the body is no JSON object; {_WANTED}"
    if "evalMatches" in names or {"ruleName", "state"} <= names:
        return (
            "the body is from Grafana's legacy (dashboard) alerting, which Grafana 11 removed; "
            "send from a contact point of Grafana's unified alerting"
        )
    if {"routing_key", "event_action"} <= names:
        return f"the body is a PagerDuty event; {_WANTED}"
    return (
        f'there is no "alerts"; {_WANTED}. A custom payload (Alertmanager\'s "payload:", Grafana\'s "Custom Payload") '
        "replaces the whole body: remove it from the sender"
    )


def _names(body: bytes) -> set[str] | None:
    try:
        return set(msgspec.json.decode(body, type=dict[str, msgspec.Raw]))
    except msgspec.ValidationError:
        return None


def _wrong(message: str) -> IngestError:
    return IngestError(IngestReason.WRONG_FORMAT, message)
