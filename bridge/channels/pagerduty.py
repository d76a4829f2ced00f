"""The `pagerduty` channel: Events API v2.

One incident is one `dedup_key`: a change is a trigger with the same key (it rings nobody anew), an acknowledgement
and the end are events of their own. A resolve of what PagerDuty never heard of is dropped there: an alert that came
and went while PagerDuty was away rings nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from hashlib import sha256
from typing import ClassVar, Literal

import msgspec
from msgspec import Struct
from pydantic import Field

from bridge.channels.api import (
    ChannelOptions,
    Context,
    FailureReason,
    Idempotency,
    Message,
    Reason,
    Receipt,
    Refused,
    Secret,
)
from bridge.channels.endpoints import Masking, WebAddress, endpoint, read_json, unreadable
from bridge.channels.links import links_of, safe_url
from bridge.channels.pagerduty_callback import PagerDutyEar
from bridge.channels.sizes import body, clean, one_line, shorten
from bridge.domain.alert import Status
from bridge.net import Response, outcome_of

_EVENT_LIMIT = 512_000
_TEXT_LIMIT = 100_000
_SUMMARY_LIMIT = 1024
_KEY_LIMIT = 255
_NAME_LIMIT = 255
_SEVERITIES: Mapping[str, str] = {
    "critical": "critical",
    "fatal": "critical",
    "emergency": "critical",
    "page": "critical",
    "error": "error",
    "warning": "warning",
    "warn": "warning",
    "info": "info",
    "information": "info",
    "informational": "info",
    "none": "info",
}
_HEADERS = {"Content-Type": "application/json"}


class PagerDutyOptions(ChannelOptions):
    """Which service to ring."""

    routing_key: Secret = Field(description="the integration key of an Events API v2 integration")
    webhook_secret: Secret | None = Field(
        None, description="of a webhook subscription (version 3): what proves that PagerDuty tells what people do there"
    )
    strangers: bool = Field(True, description="whether those whose account nobody under `people:` has may act there")
    url: WebAddress = Field(Secret("https://events.pagerduty.com"), description="the base URL; another region's, say")


class _Link(Struct, frozen=True):
    href: str
    text: str


class _Payload(Struct, frozen=True, omit_defaults=True, rename={"kind": "class"}):
    summary: str
    source: str
    severity: str
    timestamp: str
    component: str = ""
    group: str = ""
    kind: str = ""
    custom_details: Mapping[str, str | Mapping[str, str]] = {}


class _Event(Struct, frozen=True, omit_defaults=True):
    routing_key: str
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str
    client: str = ""
    client_url: str = ""
    payload: _Payload | None = None
    links: tuple[_Link, ...] = ()


class _Answer(Struct, frozen=True):
    status: str = ""
    message: str = ""
    errors: list[str] = []


class PagerDutyChannel:
    """202 means that PagerDuty queued the event."""

    Options: ClassVar[type[ChannelOptions]] = PagerDutyOptions
    idempotency: ClassVar[Idempotency] = "native"
    follows_acknowledgement: ClassVar[bool] = True

    def __init__(self, name: str, options: PagerDutyOptions) -> None:
        self._name = name
        self._key = options.routing_key
        self._url = endpoint(options.url, "/v2/enqueue")
        self._timeout = options.timeout.total_seconds()
        self._masked = Masking(options.routing_key)
        secret = options.webhook_secret
        self.callback = None if secret is None else PagerDutyEar(secret, strangers=options.strangers)

    async def send(self, message: Message, context: Context) -> Receipt:
        """One event. As `Channel.send`."""
        response = await context.http.request(
            "POST",
            self._url,
            body=self._event(message, plain=context.plain),
            headers=_HEADERS,
            timeout=self._timeout,
        )
        self._judge(response, context)
        return Receipt(data={"dedup_key": dedup_key(message)}, detail=f"{_action(message)} accepted")

    def _event(self, message: Message, *, plain: bool) -> bytes:
        """The body, with `custom_details` replaced by an explanation where it would be too large."""
        key, action = dedup_key(message), _action(message)
        if action != "trigger":
            return msgspec.json.encode(_Event(self._key.reveal(), action, key))
        event = _Event(
            routing_key=self._key.reveal(),
            event_action=action,
            dedup_key=key,
            client="Alertbridge",
            client_url=safe_url(message.external_url),
            payload=_payload(message, {} if plain else _details(message)),
            links=() if plain else tuple(_Link(link.url, one_line(link.label)) for link in links_of(message)),
        )
        encoded = msgspec.json.encode(event)
        if len(encoded) <= _EVENT_LIMIT:
            return encoded
        reduced = _payload(message, _too_large(message, len(encoded)))
        return msgspec.json.encode(msgspec.structs.replace(event, payload=reduced))

    def _judge(self, response: Response, context: Context) -> None:
        answer = read_json(response, _Answer)
        said = self._masked("; ".join((answer.message, *answer.errors))) if answer else ""
        if response.status == 400 and answer and any("routing" in error.lower() for error in answer.errors):
            raise Refused(FailureReason.UNAUTHORIZED, f"HTTP 400: {said}")
        outcome_of(response, context.now, said)
        if answer is None or answer.status != "success":
            raise unreadable("PagerDuty", response, context.attempt)


def dedup_key(message: Message) -> str:
    """The incident's key, hashed if it is longer than PagerDuty takes."""
    key = message.dedup
    return key if len(key) <= _KEY_LIMIT else sha256(key.encode()).hexdigest()


def _action(message: Message) -> Literal["trigger", "acknowledge", "resolve"]:
    if message.status is Status.RESOLVED:
        return "resolve"
    return "acknowledge" if message.reason is Reason.ACKNOWLEDGED else "trigger"


def _payload(message: Message, details: Mapping[str, str | Mapping[str, str]]) -> _Payload:
    labels = message.common_labels
    return _Payload(
        summary=shorten(one_line(message.title) or "Alert", _SUMMARY_LIMIT),
        source=_name(labels.get("instance") or _first_instance(message) or message.source) or "alertbridge",
        severity=_SEVERITIES.get(message.severity.lower(), "error"),
        timestamp=message.opened_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        component=_name(labels.get("component") or labels.get("job", "")),
        group=_name(labels.get("cluster") or labels.get("service", "")),
        kind=_name(labels.get("alertname", "")),
        custom_details=details,
    )


def _details(message: Message) -> dict[str, str | Mapping[str, str]]:
    return {
        "text": body(message, _TEXT_LIMIT),
        "firing": str(len(message.firing)),
        "resolved": str(len(message.resolved)),
        "labels": _cleaned(message.common_labels),
        "annotations": _cleaned(message.common_annotations),
    }


def _too_large(message: Message, size: int) -> dict[str, str | Mapping[str, str]]:
    why = f"Details were left out: the event had {size:,} bytes, PagerDuty takes {_EVENT_LIMIT:,}."
    count = f"{len(message.firing):,} alerts firing, {len(message.resolved):,} resolved"
    return {"error": f"{why} {count}; the beginning:\n{body(message, _SUMMARY_LIMIT * 4)}"}


def _first_instance(message: Message) -> str:
    return next((alert.labels["instance"] for alert in message.alerts if alert.labels.get("instance")), "")


def _name(text: str) -> str:
    return shorten(one_line(text), _NAME_LIMIT)


def _cleaned(pairs: Mapping[str, str]) -> dict[str, str]:
    return {clean(name): clean(value) for name, value in pairs.items()}
