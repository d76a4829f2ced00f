"""From a message in Slack or PagerDuty, over what somebody does there, to the incident here."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from bridge.app.bridge import Bridge
from tests.simulators.pagerduty import PagerDuty
from tests.simulators.server import Answer, Recorded
from tests.simulators.slack import SlackApi
from tests.unit.http.outside import THROUGH_A_PROXY, open_incident, outside_bridge, state
from tests.unit.http.real import port_of

MAIN = """
server: {{listen: "127.0.0.1:0", external_url: "https://alerts.example.org/bridge"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  chat: {{type: slack, token: "env:SLACK_TOKEN", channel: general, url: "SLACK", signing_secret: "env:SLACK_SECRET"}}
  pager: {{type: pagerduty, routing_key: "env:PD_KEY", url: "PAGERDUTY", webhook_secret: "env:PD_SECRET"}}
receivers: {{both: [chat, pager]}}
route: {{receiver: both}}
"""
REST = """
people:
  alice: {accounts: {slack: U1, pagerduty: PUSER1}}
access: {tokens: [{name: ops, roles: [admin, ingest], token: "env:OPS_TOKEN"}]}
"""


class Slack(SlackApi):
    """Takes what is said to who pressed, too."""

    def answer(self, request: Recorded) -> Answer:
        return Answer(200, b"ok") if request.path == "/actions/1" else super().answer(request)

    def said(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.requests if each.path == "/actions/1"]


@pytest.fixture
async def slack() -> AsyncIterator[Slack]:
    async with Slack("slack-token") as running:
        yield running


@pytest.fixture
async def pagerduty() -> AsyncIterator[PagerDuty]:
    async with PagerDuty("pd-key") as running:
        yield running


@pytest.fixture
async def bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slack: Slack, pagerduty: PagerDuty
) -> AsyncIterator[Bridge]:
    for name, value in (
        ("SLACK_TOKEN", "slack-token"), ("SLACK_SECRET", "slack-secret"), ("PD_KEY", "pd-key"), ("PD_SECRET", "pd-secret"),
    ):  # fmt: skip
        monkeypatch.setenv(name, value)
    main = MAIN.replace('SLACK"', f'{slack.url}"', 1).replace("PAGERDUTY", pagerduty.url)
    async with outside_bridge(tmp_path, monkeypatch, main, REST) as running:
        yield running


async def until(true: Callable[[], object]) -> None:
    for _ in range(1200):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come")


async def post(bridge: Bridge, channel: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    url = f"http://127.0.0.1:{port_of(bridge)}/bridge/callbacks/{channel}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={**THROUGH_A_PROXY, **headers}) as answer,
    ):
        return answer.status, await answer.read()


async def press(
    bridge: Bridge, slack: Slack, button: dict[str, Any], *, user: str = "U1", at: str = "1.0"
) -> tuple[int, bytes]:
    payload = {
        "type": "block_actions", "user": {"id": user, "name": "roadrunner"}, "response_url": f"{slack.url}/actions/1",
        "actions": [{**button, "action_ts": at, "block_id": "b"}],
    }  # fmt: skip
    body, timestamp = urlencode({"payload": json.dumps(payload)}).encode(), str(int(time.time()))
    mac = hmac.digest(b"slack-secret", f"v0:{timestamp}:".encode() + body, "sha256").hex()
    headers = {"X-Slack-Request-Timestamp": timestamp, "X-Slack-Signature": f"v0={mac}"}
    return await post(bridge, "chat", body, {**headers, "Content-Type": "application/x-www-form-urlencoded"})


async def tell(bridge: Bridge, kind: str, key: str, event: str = "E1") -> int:
    agent = {"id": "PUSER1", "type": "user_reference", "summary": "Alice"}
    document = {
        "id": event, "event_type": f"incident.{kind}", "resource_type": "incident", "agent": agent,
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()), "data": {"incident_key": key},
    }  # fmt: skip
    body = json.dumps({"event": document}).encode()
    signature = f"v1={hmac.digest(b'pd-secret', body, 'sha256').hex()}"
    return (await post(bridge, "pager", body, {"X-PagerDuty-Signature": signature}))[0]


def buttons(slack: Slack) -> dict[str, dict[str, Any]]:
    """The buttons of the last message, by deed."""
    (attachment,) = slack.messages[-1].body["attachments"]
    (row,) = [block for block in attachment["blocks"] if block["type"] == "actions"]
    return {button["action_id"].partition(".")[2]: button for button in row["elements"]}


async def test_a_button_in_slack_acknowledges_and_the_message_shows_it(bridge: Bridge, slack: Slack) -> None:
    incident = await open_incident(bridge)
    await until(lambda: slack.messages)
    assert list(buttons(slack)) == ["acknowledge", "snooze", "resolve"]

    assert await press(bridge, slack, buttons(slack)["acknowledge"]) == (200, b"")

    assert await state(bridge, incident) == ("acknowledged", "alice")
    await until(lambda: slack.messages[0].edits)
    assert list(buttons(slack)) == ["unacknowledge", "resolve"]


async def test_who_comes_second_is_told_and_nobody_else(bridge: Bridge, slack: Slack) -> None:
    incident = await open_incident(bridge)
    await until(lambda: slack.messages)
    button = buttons(slack)["acknowledge"]
    await press(bridge, slack, button)
    assert await press(bridge, slack, button, user="U9", at="2.0") == (200, b"")
    await until(slack.said)
    (said,) = slack.said()
    assert (said["response_type"], said["text"]) == ("ephemeral", "Nothing was done: acknowledged by alice already.")
    assert await state(bridge, incident) == ("acknowledged", "alice")


async def test_a_button_with_another_value_does_nothing(bridge: Bridge, slack: Slack) -> None:
    incident = await open_incident(bridge)
    await until(lambda: slack.messages)
    button = buttons(slack)["acknowledge"]
    for value in ("", incident, button["value"][:-1], "A" * 54):
        assert (await press(bridge, slack, {**button, "value": value}, at=f"1.{len(value)}"))[0] == 200
    assert await state(bridge, incident) == ("open", None)


async def test_acknowledged_in_pagerduty_is_acknowledged_here(bridge: Bridge, pagerduty: PagerDuty) -> None:
    incident = await open_incident(bridge)
    await until(lambda: pagerduty.requests)
    key = json.loads(pagerduty.requests[0].body)["dedup_key"]
    for _ in range(1200):  # the outcome of the sending is committed after the event came
        assert await tell(bridge, "acknowledged", key, event=f"E{time.monotonic_ns()}") == 200
        if await state(bridge, incident) == ("acknowledged", "alice"):
            break
        await asyncio.sleep(0.05)
    timeline = (await bridge.operator.incident(incident)).timeline
    assert [entry.detail for entry in timeline if entry.kind == "acknowledged"] == ['{"via":"pagerduty"}']

    assert await tell(bridge, "unacknowledged", key, event="E2") == 200
    assert await state(bridge, incident) == ("open", None)
    assert await tell(bridge, "resolved", key, event="E3") == 200
    assert (await state(bridge, incident))[0] == "resolved"


async def test_an_event_of_another_service_changes_nothing_here(bridge: Bridge, pagerduty: PagerDuty) -> None:
    incident = await open_incident(bridge)
    await until(lambda: pagerduty.requests)
    assert await tell(bridge, "resolved", "another") == 200
    assert await state(bridge, incident) == ("open", None)
