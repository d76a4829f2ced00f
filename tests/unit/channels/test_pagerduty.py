from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from bridge.channels.api import Channel, Message, Reason
from bridge.channels.pagerduty import PagerDutyChannel, dedup_key
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.net import HttpClient
from tests.contract.channels.messages import alert, many, message, resolved
from tests.simulators.pagerduty import LIMIT, PagerDuty
from tests.unit.channels.sending import build, context, send

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
async def service() -> AsyncIterator[PagerDuty]:
    async with PagerDuty(KEY) as running:
        yield running


@pytest.fixture
def channel(service: PagerDuty) -> Channel:
    return build(PagerDutyChannel, routing_key=KEY, url=service.url)


def event(service: PagerDuty) -> dict:
    return json.loads(service.requests[-1].body)


async def test_a_trigger_says_what_where_how_bad_and_since_when(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    view = alert(1, job="node", cluster="eu-1")
    receipt = await send(http, channel, message(view))
    sent = event(service)
    details = sent["payload"].pop("custom_details")
    assert sent == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": message().dedup,
        "client": "Alertbridge",
        "client_url": "http://bridge.example:9099",
        "payload": {
            "summary": "[FIRING:1] Alert0001",
            "source": "web-1:9100",
            "severity": "critical",
            "timestamp": "2026-03-01T10:00:00.123000Z",
            "component": "node",
            "group": "eu-1",
            "class": "Alert0001",
        },
        "links": [{"href": "http://prometheus.example:9090/graph?g0.expr=cpu", "text": "Source Alert0001"}],
    }
    assert details["firing"] == "1"
    assert details["labels"] == dict(view.labels)
    assert "CPU above 90%" in details["text"]
    assert receipt.data == {"dedup_key": message().dedup}


async def test_trigger_acknowledge_and_resolve_are_one_incident(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    await send(http, channel, message())
    assert service.incidents == {message().dedup: "triggered"}
    await send(http, channel, message(reason=Reason.ACKNOWLEDGED), key="key-2")
    assert service.incidents == {message().dedup: "acknowledged"}
    assert event(service) == {"routing_key": KEY, "event_action": "acknowledge", "dedup_key": message().dedup}
    await send(http, channel, resolved(), key="key-3")
    assert service.incidents == {}
    assert event(service) == {"routing_key": KEY, "event_action": "resolve", "dedup_key": message().dedup}


@pytest.mark.parametrize("reason", [Reason.CHANGED, Reason.REMINDER, Reason.ESCALATED, Reason.TEST, Reason.NOTICE])
async def test_every_other_news_is_a_trigger_with_the_same_key(
    http: HttpClient, service: PagerDuty, channel: Channel, reason: Reason
) -> None:
    await send(http, channel, message(reason=reason))
    assert event(service)["event_action"] == "trigger"
    assert event(service)["dedup_key"] == message().dedup


async def test_the_end_is_a_resolve_whatever_it_is_called(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    await send(http, channel, replace(resolved(), reason=Reason.ACKNOWLEDGED))
    assert event(service)["event_action"] == "resolve"


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("critical", "critical"),
        ("Critical", "critical"),
        ("page", "critical"),
        ("error", "error"),
        ("warning", "warning"),
        ("warn", "warning"),
        ("info", "info"),
        ("none", "info"),
        ("sev2", "error"),
        ("", "error"),
    ],
)
async def test_a_severity_becomes_one_of_four(
    http: HttpClient, service: PagerDuty, channel: Channel, ours: str, theirs: str
) -> None:
    await send(http, channel, replace(message(), severity=ours))
    assert event(service)["payload"]["severity"] == theirs


async def test_a_summary_is_one_line_of_at_most_1024_characters(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    await send(http, channel, message(title="a\nb " + "ü" * 2000))
    summary = event(service)["payload"]["summary"]
    assert summary.startswith("a b ü")
    assert len(summary) == 1024
    assert summary.endswith("…")


@pytest.mark.parametrize("bare", [replace(message(), title="", text="", common_labels={}, alerts=(), source="")])
async def test_required_fields_are_never_empty(
    http: HttpClient, service: PagerDuty, channel: Channel, bare: Message
) -> None:
    await send(http, channel, bare)
    assert len(service.told()) == 1


async def test_details_that_are_too_large_are_replaced_by_an_explanation_with_a_count(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    news = replace(message(*many(30)), common_annotations={"description": '"' * 300_000})
    await send(http, channel, news)
    details = event(service)["payload"]["custom_details"]
    assert len(service.requests[0].body) < LIMIT
    assert details.keys() == {"error"}
    assert "601,850 bytes" in details["error"]
    assert "30 alerts firing, 0 resolved" in details["error"]
    assert "Alert0001" in details["error"]


async def test_the_plain_form_has_only_what_is_required(http: HttpClient, service: PagerDuty, channel: Channel) -> None:
    await channel.send(message(), context(http, plain=True))
    assert "links" not in event(service)
    assert "custom_details" not in event(service)["payload"]


async def test_a_key_that_is_too_long_is_hashed_and_stays_the_same(
    http: HttpClient, service: PagerDuty, channel: Channel
) -> None:
    long = replace(message(), dedup="k" * 256)
    await send(http, channel, long)
    await send(http, channel, replace(resolved(), dedup="k" * 256))
    keys = {json.loads(request.body)["dedup_key"] for request in service.requests}
    assert keys == {dedup_key(long)}
    assert len(dedup_key(long)) == 64
    assert dedup_key(replace(message(), dedup="k" * 255)) == "k" * 255


async def test_a_wrong_routing_key_is_a_refused_credential_although_the_answer_is_400(
    http: HttpClient, service: PagerDuty
) -> None:
    wrong = build(PagerDutyChannel, routing_key="another", url=service.url)
    with pytest.raises(Refused) as caught:
        await send(http, wrong, message())
    assert caught.value.reason is FailureReason.UNAUTHORIZED
    assert "Invalid routing key" in caught.value.detail


async def test_another_400_is_the_content(http: HttpClient, service: PagerDuty, channel: Channel) -> None:
    service.next(400, b'{"status": "invalid event", "message": "Event object is invalid", "errors": ["too bad"]}')
    with pytest.raises(Permanent) as caught:
        await send(http, channel, message())
    assert "too bad" in caught.value.detail


@pytest.mark.parametrize(("attempt", "kind"), [(1, Retryable), (3, Retryable), (4, Permanent)])
async def test_an_answer_that_is_not_pagerdutys_is_tried_again_three_times(
    http: HttpClient, service: PagerDuty, channel: Channel, attempt: int, kind: type[ChannelError]
) -> None:
    service.next(202, b"<html>please log in</html>")
    with pytest.raises(kind) as caught:
        await channel.send(message(), context(http, attempt=attempt))
    assert caught.value.reason is FailureReason.BAD_RESPONSE


@pytest.mark.parametrize("suffix", ["", "/", "/v2/enqueue"])
async def test_the_url_is_the_base_or_the_whole_endpoint(http: HttpClient, service: PagerDuty, suffix: str) -> None:
    await send(http, build(PagerDutyChannel, routing_key=KEY, url=service.url + suffix), message())
    assert service.requests[0].path == "/v2/enqueue"
