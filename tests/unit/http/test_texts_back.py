"""Who was texted acts by texting back: `ack`, `ack 4711`, `resolve`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from xml.etree.ElementTree import fromstring

import aiohttp
import pytest

from bridge.app.bridge import Bridge
from tests.simulators.twilio import Twilio, text_of, texted
from tests.unit.http.real import client, notification, port_of, whole_bridge

URL = "https://alerts.example.org/bridge"
ANNA, BOB, OTHER = "+4930111", "+4930222", "+4930333"
MAIN = """
server: {{listen: "127.0.0.1:0", external_url: "https://alerts.example.org/bridge"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  sms: {{type: twilio_sms, account_sid: AC1, auth_token: "env:TWILIO", from: "+1500", to: "+4930111,+4930333", url: "URL", replies: true}}
  bob: {{type: twilio_sms, account_sid: AC1, auth_token: "env:TWILIO", from: "+1500", to: "whatsapp:+4930222", url: "URL", replies: true}}
  deaf: {{type: twilio_sms, account_sid: AC1, auth_token: "env:TWILIO", from: "+1500", to: "+4930444", url: "URL"}}
receivers: {{everybody: [sms, bob]}}
route: {{receiver: sms, routes: [{{match: {{who: both}}, receiver: everybody}}]}}
people:
  anna: {{accounts: {{phone: "+4930111"}}}}
  bob: {{accounts: {{phone: "+4930222"}}}}
"""
_sids = count(1)


@pytest.fixture
async def twilio() -> AsyncIterator[Twilio]:
    async with Twilio("AC1", "token") as service:
        yield service


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twilio: Twilio) -> AsyncIterator[Bridge]:
    monkeypatch.setenv("TWILIO", "token")
    monkeypatch.setenv("OPS", "ops-token")
    monkeypatch.setattr("tests.unit.http.real.CONFIG", MAIN.replace('"URL"', f'"{twilio.url}"'))
    async with whole_bridge(tmp_path, 'access: {tokens: [{name: ops, roles: [ingest], token: "env:OPS"}]}') as running:
        yield running


async def fire(bridge: Bridge, twilio: Twilio, name: str, texts: int = 2, **labels: str) -> tuple[str, str]:
    """The incident and the number by which the last text names it."""
    before = len(twilio.texts)
    async with client(bridge) as asking:
        await asking.ask("POST", "/bridge/webhook", body=notification(name, **labels), token="ops-token")
    incident = (await bridge.operator.incidents()).incidents[0].id
    channels = {"sms", "bob"} if texts > 2 else {"sms"}
    for _ in range(1200):
        if {each.channel for each in (await bridge.operator.incident(incident)).told} == channels:
            break
        await asyncio.sleep(0.05)
    assert len(twilio.texts) == before + texts
    (number,) = re.findall(r"Reply ack (\d{4})$", twilio.texts[-1]["Body"])
    return incident, number


async def text(bridge: Bridge, said: str, number: str = ANNA, channel: str = "sms", sid: str = "") -> str | None:
    """What is texted back to who texts."""
    form = text_of(number, said, sid or f"SM{next(_sids):032}")
    body, headers = texted(f"{URL}/callbacks/{channel}", "token", form)
    address = f"http://127.0.0.1:{port_of(bridge)}/bridge/callbacks/{channel}"
    headers = {"Host": "alerts.example.org", "X-Forwarded-For": "198.51.100.7", **headers}
    async with aiohttp.ClientSession() as session, session.post(address, data=body, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/xml")
        return fromstring(await answer.read()).findtext("Message")


async def state(bridge: Bridge, incident: str) -> tuple[str, str | None]:
    found = (await bridge.operator.incident(incident)).incident
    return found.state, found.acknowledged_by


async def test_ack_takes_the_newest_that_is_open(bridge: Bridge, twilio: Twilio) -> None:
    first, _ = await fire(bridge, twilio, "DiskFull")
    second, _ = await fire(bridge, twilio, "HighCPU")
    assert await text(bridge, "Ack") == "HighCPU: acknowledged by anna."
    assert await state(bridge, first) == ("open", None)
    assert await text(bridge, "ack") == "DiskFull: acknowledged by anna."
    assert [await state(bridge, each) for each in (first, second)] == [("acknowledged", "anna")] * 2
    kinds = [entry.detail for entry in (await bridge.operator.incident(first)).timeline if entry.kind == "acknowledged"]
    assert kinds == ['{"via":"sms"}']


async def test_a_number_names_an_incident(bridge: Bridge, twilio: Twilio) -> None:
    first, number = await fire(bridge, twilio, "DiskFull")
    second, _ = await fire(bridge, twilio, "HighCPU")
    assert await text(bridge, f"ack {number} on it") == "DiskFull: acknowledged by anna."
    assert await state(bridge, second) == ("open", None)
    assert await text(bridge, f"resolve {number}") == "DiskFull: resolved by anna."
    assert (await state(bridge, first))[0] == "resolved"
    assert await text(bridge, f"ack {number}") == "There is no such incident any more."
    assert await text(bridge, "ack 1") == "There is no such incident any more."
    assert await state(bridge, second) == ("open", None)


async def test_resolve_ends_the_newest_even_if_somebody_has_it(bridge: Bridge, twilio: Twilio) -> None:
    first, _ = await fire(bridge, twilio, "DiskFull")
    second, _ = await fire(bridge, twilio, "HighCPU")
    await text(bridge, "ack")
    assert await text(bridge, "resolve") == "HighCPU: resolved by anna."
    assert [(await state(bridge, each))[0] for each in (first, second)] == ["open", "resolved"]


async def test_what_somebody_means_is_what_his_own_number_was_told(bridge: Bridge, twilio: Twilio) -> None:
    both, _ = await fire(bridge, twilio, "DiskFull", texts=3, who="both")
    annas, number = await fire(bridge, twilio, "HighCPU")
    assert await text(bridge, f"ack {number}", BOB) == "There is no such incident any more."
    assert await text(bridge, "ack", BOB) == "DiskFull: acknowledged by bob."
    assert [await state(bridge, each) for each in (both, annas)] == [("acknowledged", "bob"), ("open", None)]


async def test_the_second_hears_who_was_first(bridge: Bridge, twilio: Twilio) -> None:
    incident, _ = await fire(bridge, twilio, "DiskFull", texts=3, who="both")
    await text(bridge, "ack", BOB, "bob")
    assert await text(bridge, "ack") == "Nothing was done: acknowledged by bob already."
    assert await state(bridge, incident) == ("acknowledged", "bob")


@pytest.mark.parametrize("number", [OTHER, "+1999", "anna", ""])
async def test_a_number_of_nobody_does_nothing_and_costs_no_text(bridge: Bridge, twilio: Twilio, number: str) -> None:
    incident, shown = await fire(bridge, twilio, "DiskFull")
    assert await text(bridge, "ack", number) is None
    assert await text(bridge, f"ack {shown}", number) is None
    assert await state(bridge, incident) == ("open", None)


async def test_what_twilio_says_again_is_not_done_again(bridge: Bridge, twilio: Twilio) -> None:
    incident, number = await fire(bridge, twilio, "DiskFull")
    await text(bridge, "ack", sid="SM1")
    await text(bridge, f"unack {number}")
    assert await text(bridge, "ack", sid="SM1") is None
    assert await state(bridge, incident) == ("open", None)


async def test_two_incidents_of_one_number_are_not_mixed_up(
    bridge: Bridge, twilio: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await fire(bridge, twilio, "DiskFull")
    second, _ = await fire(bridge, twilio, "HighCPU")
    monkeypatch.setattr("bridge.engine.texted.short_number", lambda _: "4711")
    assert await text(bridge, "ack 4711") == "Nothing was done: 2 incidents have the number 4711."
    assert [await state(bridge, each) for each in (first, second)] == [("open", None)] * 2


async def test_a_channel_without_replies_hears_nothing(bridge: Bridge, twilio: Twilio) -> None:
    await fire(bridge, twilio, "DiskFull")
    body, headers = texted(f"{URL}/callbacks/deaf", "token", text_of(ANNA, "ack", "SM1"))
    address = f"http://127.0.0.1:{port_of(bridge)}/bridge/callbacks/deaf"
    async with aiohttp.ClientSession() as session, session.post(address, data=body, headers=headers) as answer:
        assert answer.status == 401
