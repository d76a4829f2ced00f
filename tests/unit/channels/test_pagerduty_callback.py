"""PagerDuty's webhooks: what people do there is heard once, and nothing else is."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.channels.callbacks import CallbackRequest, Forged, Unreadable
from bridge.channels.pagerduty import PagerDutyChannel, PagerDutyOptions
from bridge.channels.pagerduty_callback import PagerDutyEar
from bridge.domain.deed import Deed
from bridge.domain.secret import Secret

SECRET = "s3cr3t"
NOW = datetime(2026, 3, 1, 10, 3, tzinfo=UTC)
EAR = PagerDutyEar(Secret(SECRET), strangers=True)
AGENT = {
    "id": "PUSER1",
    "type": "user_reference",
    "summary": "Alice",
    "html_url": "https://example.pagerduty.com/users/PUSER1",
}


def event(**changed: Any) -> bytes:
    """As in PagerDuty's reference of webhooks, version 3."""
    whole = {
        "id": "01ABCDEF", "event_type": "incident.acknowledged", "resource_type": "incident",
        "occurred_at": "2026-03-01T10:02:00.000Z", "agent": AGENT, "client": None,
        "data": {"id": "PINC1", "type": "incident", "number": 42, "status": "acknowledged", "incident_key": "the-key"},
    }  # fmt: skip
    return json.dumps({"event": {**whole, **changed}}).encode()


def signature(body: bytes, secret: str = SECRET, version: str = "v1") -> str:
    return f"{version}={hmac.digest(secret.encode(), body, 'sha256').hex()}"


def request(body: bytes, signed: str | None = None) -> CallbackRequest:
    headers = (("X-PagerDuty-Signature", signature(body) if signed is None else signed),)
    return CallbackRequest("https://x.example/callbacks/pager", body, headers, NOW)


def test_pagerdutys_vector_holds() -> None:
    assert signature(b'{"a":1}') == "v1=d42927434049e0b8c73ce887062238cc1c6bb6644bfe66e66d8dd0f30b85679e"


@pytest.mark.parametrize(
    ("kind", "deed"),
    [
        ("incident.acknowledged", Deed.ACKNOWLEDGE),
        ("incident.unacknowledged", Deed.UNACKNOWLEDGE),
        ("incident.resolved", Deed.RESOLVE),
    ],
)
def test_what_somebody_did_is_heard(kind: str, deed: Deed) -> None:
    (ask,) = EAR.hear(request(event(event_type=kind))).asks
    assert (ask.deed, ask.dedup, ask.account, ask.shown, ask.key) == (deed, "the-key", "PUSER1", "Alice", "01ABCDEF")


def test_any_of_several_signatures_will_do() -> None:
    body = event()
    wrong = signature(body, "old")
    for signed in (f"{wrong},{signature(body)}", f"{signature(body)},{wrong}", f"{wrong}, {signature(body)}"):
        assert EAR.hear(request(body, signed)).asks


@pytest.mark.parametrize(
    "signed",
    [
        "",
        ",",
        "v1=",
        "v1=" + "0" * 64,
        signature(event(), "other"),
        signature(event(), version="v0"),
        signature(event())[3:],
        "é",
    ],
)
def test_what_pagerduty_did_not_sign_is_not_heard(signed: str) -> None:
    with pytest.raises(Forged):
        EAR.hear(request(event(), signed))


def test_a_signature_covers_every_byte() -> None:
    right = request(event())
    for place in range(len(right.body)):
        changed = bytearray(right.body)
        changed[place] ^= 1
        with pytest.raises(Forged):
            EAR.hear(replace(right, body=bytes(changed)))


def test_a_right_signature_behind_too_many_wrong_ones_is_not_looked_for() -> None:
    body = event()
    with pytest.raises(Forged):
        EAR.hear(request(body, ",".join(["v1=0"] * 50 + [signature(body)])))


@pytest.mark.parametrize(
    "other",
    [
        {"event_type": "incident.triggered"}, {"event_type": "incident.escalated"}, {"event_type": "something.new"},
        {"event_type": "pagey.ping", "agent": None, "data": {"message": "hello"}},
        {"agent": None}, {"agent": {"id": "P1", "type": "service_reference", "summary": "ours"}},
        {"agent": {"id": "P1", "type": "inbound_integration_reference"}},
        {"data": None}, {"data": {"incident_key": None}}, {"data": {"incident_key": ""}}, {"id": ""},
        {"occurred_at": "2026-02-26T10:02:59.000Z"}, {"occurred_at": "2026-03-01T10:02:00.000"},
    ],
)  # fmt: skip
def test_what_nobody_did_or_long_ago_is_let_be(other: dict[str, Any]) -> None:
    assert EAR.hear(request(event(**other))).asks == ()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"event": null}', b"\xff", b"[" * 100_000, event(id=7), event(occurred_at="then")]
)
def test_what_pagerduty_never_sends_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        EAR.hear(request(body))


@given(st.binary(max_size=300))
def test_no_body_breaks_it(body: bytes) -> None:
    with pytest.raises(Unreadable):
        EAR.hear(request(body))


def test_what_happened_within_pagerdutys_own_patience_is_heard() -> None:
    at = (NOW - timedelta(hours=48)).isoformat()
    assert EAR.hear(request(event(occurred_at=at))).asks


def test_only_a_channel_with_a_secret_hears() -> None:
    def channel(**options: object) -> PagerDutyChannel:
        return PagerDutyChannel(
            "pager", PagerDutyOptions.model_validate({"type": "pagerduty", "routing_key": "k", **options})
        )

    assert channel().callback is None
    heard = channel(webhook_secret=SECRET, strangers=False).callback
    assert heard is not None
    assert (heard.strangers, heard.via.value, heard.accounts) == (False, "pagerduty", "pagerduty")
