"""`POST /callbacks/{channel}`: whoever proves to be the channel's service acts, once; everybody else learns nothing."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from bridge.app.bridge import Bridge
from bridge.domain.errors import StorageBusy
from bridge.engine.asks import Asks
from tests.callback_plugin import SECRET
from tests.unit.http.outside import THROUGH_A_PROXY, URL, open_incident, outside_bridge, state, told
from tests.unit.http.real import Client, client, port_of


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    async with outside_bridge(tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture
async def incident(bridge: Bridge) -> str:
    return await open_incident(bridge)


def signed(body: bytes, *, at: float | None = None, url: str = f"{URL}/callbacks/polly") -> dict[str, str]:
    moment = str(int(time.time() if at is None else at))
    mac = hmac.digest(SECRET, moment.encode() + url.encode() + body, "sha256").hex()
    return {"X-Parrot-Time": moment, "X-Parrot": mac, **THROUGH_A_PROXY}


async def send(bridge: Bridge, body: bytes, headers: Mapping[str, str], path: str = "polly") -> tuple[int, str]:
    url = f"http://127.0.0.1:{port_of(bridge)}/bridge/callbacks/{path}"
    async with aiohttp.ClientSession() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.text()


async def say(bridge: Bridge, *asks: Mapping[str, Any], path: str = "polly") -> tuple[int, str]:
    body = msgspec.json.encode(asks)
    return await send(bridge, body, signed(body, url=f"{URL}/callbacks/{path}"), path)


def ask(incident: str, key: str = "1", account: str = "U1", deed: str = "acknowledge") -> dict[str, str]:
    return {"key": key, "account": account, "incident": incident, "deed": deed}


async def test_who_acts_is_the_person_of_the_account(bridge: Bridge, incident: str) -> None:
    assert await say(bridge, ask(incident, account="U2")) == (200, "Down: acknowledged by alice.")
    assert await state(bridge, incident) == ("acknowledged", "alice")
    timeline = (await bridge.operator.incident(incident)).timeline
    assert [entry.detail for entry in timeline if entry.kind == "acknowledged"] == ['{"via":"slack"}']


async def test_the_second_is_told_who_was_first(bridge: Bridge, incident: str) -> None:
    await say(bridge, ask(incident, account="U3"))
    status, text = await say(bridge, ask(incident, key="2"))
    assert (status, text) == (200, "Nothing was done: acknowledged by bob already.")


async def test_a_stranger_acts_under_a_name_that_is_no_persons(bridge: Bridge, incident: str) -> None:
    await say(bridge, {**ask(incident, account="U9"), "shown": "alice\n"})
    assert await state(bridge, incident) == ("acknowledged", "alice (slack)")


async def test_where_strangers_may_not_act_nothing_is_done(bridge: Bridge, incident: str) -> None:
    status, text = await say(bridge, ask(incident, account="U9"), path="shy")
    assert (status, "nothing was done" in text) == (200, True)
    assert await state(bridge, incident) == ("open", None)
    await say(bridge, ask(incident, account="U1"), path="shy")
    assert await state(bridge, incident) == ("acknowledged", "alice")


async def test_what_is_said_again_is_not_done_again(bridge: Bridge, incident: str) -> None:
    await say(bridge, ask(incident))
    await bridge.operator.unacknowledge(incident, "carol", bridge._clock.now())
    assert await say(bridge, ask(incident)) == (200, "")
    assert await state(bridge, incident) == ("open", None)
    assert (await say(bridge, ask(incident, key="2")))[1] == "Down: acknowledged by alice."


async def test_what_was_refused_does_not_succeed_when_it_is_said_again(bridge: Bridge, incident: str) -> None:
    await say(bridge, ask(incident, account="U3"))
    await say(bridge, ask(incident, key="2"))
    await bridge.operator.unacknowledge(incident, "bob", bridge._clock.now())
    assert await say(bridge, ask(incident, key="2")) == (200, "")
    assert await state(bridge, incident) == ("open", None)


async def test_of_many_at_once_with_one_key_one_is_done(bridge: Bridge, incident: str) -> None:
    answers = await asyncio.gather(*(say(bridge, ask(incident, deed="escalate")) for _ in range(20)))
    assert sorted(text != "" for _, text in answers) == [False] * 19 + [True]


async def test_an_old_request_and_one_of_the_future_are_refused(bridge: Bridge, incident: str) -> None:
    body = msgspec.json.encode([ask(incident)])
    for seconds in (-301, 302, -1e9):
        assert (await send(bridge, body, signed(body, at=time.time() + seconds)))[0] == 401
    assert await state(bridge, incident) == ("open", None)


async def test_without_its_proof_a_request_does_nothing(bridge: Bridge, incident: str) -> None:
    body = msgspec.json.encode([ask(incident)])
    for proof in ("", "0" * 64, "é" * 32):
        assert (await send(bridge, body, {**signed(body), "X-Parrot": proof}))[0] == 401
    for moment in ("", "now", "9" * 12, "-1", "\u0661"):
        assert (await send(bridge, body, {**signed(body), "X-Parrot-Time": moment}))[0] == 401
    assert await state(bridge, incident) == ("open", None)


async def test_a_proof_is_for_every_byte_and_for_one_address(bridge: Bridge, incident: str) -> None:
    body = msgspec.json.encode([ask(incident)])
    assert (await send(bridge, body + b" ", signed(body)))[0] == 401
    assert (await send(bridge, body, signed(body), "shy"))[0] == 401
    assert (await send(bridge, body, signed(body), "polly?x=1"))[0] == 401
    assert await state(bridge, incident) == ("open", None)


async def test_names_of_channels_are_not_told(bridge: Bridge) -> None:
    answers = []
    for path in ("polly", "deaf", "other", "none", "%00", "a" * 300):
        status, text = await send(bridge, b"[]", {}, path)
        answers.append((status, {**msgspec.json.decode(text), "request_id": ""}))
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 401


async def test_only_posts_are_heard(bridge: Bridge) -> None:
    async with client(bridge) as asking:
        for method in ("GET", "PUT", "DELETE"):
            assert (await asking.ask(method, "/bridge/callbacks/polly"))[0] == 405


async def test_what_the_service_never_sends_is_400(bridge: Bridge) -> None:
    for body in (b"", b"{}", b"\xff\xfe", b"[" * 100_000, b'[{"key": 1}]'):
        assert (await send(bridge, body, signed(body)))[0] == 400


async def test_an_encoded_body_is_refused_unopened(bridge: Bridge, incident: str) -> None:
    body = msgspec.json.encode([ask(incident)])
    packed = gzip.compress(body)
    assert (await send(bridge, packed, {**signed(body), "Content-Encoding": "gzip"}))[0] == 415
    assert await state(bridge, incident) == ("open", None)


async def test_a_huge_body_is_refused_before_it_is_read(bridge: Bridge) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(bridge))
    head = f"POST /bridge/callbacks/polly HTTP/1.1\r\nHost: h\r\nContent-Length: {1024 * 1024 + 1}\r\n\r\n"
    writer.write(head.encode())
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_of_an_incident_that_is_gone_that_is_said(bridge: Bridge) -> None:
    assert await say(bridge, ask("0" * 26)) == (200, "There is no such incident any more.")
    assert await say(bridge, {"key": "2", "account": "U1", "dedup": "x", "deed": "resolve"}) == (
        200, "There is no such incident any more.",
    )  # fmt: skip


async def test_an_incident_is_found_by_the_dedup_key_of_its_channel(bridge: Bridge, incident: str) -> None:
    await told(bridge, incident)
    other = await open_incident(bridge, "Other")
    await told(bridge, other)
    dedup = bridge._keys.idempotency("incident", incident, "polly")
    asked = {"key": "1", "account": "U1", "dedup": dedup, "deed": "acknowledge"}
    assert "no such incident" in (await say(bridge, asked, path="shy"))[1]
    assert "no such incident" in (await say(bridge, {**asked, "key": "2", "dedup": "another"}))[1]
    assert await say(bridge, asked) == (200, "Down: acknowledged by alice.")
    assert await state(bridge, other) == ("open", None)


async def test_a_database_that_is_busy_has_the_service_say_it_again(
    bridge: Bridge, incident: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def busy(*_: object) -> None:
        raise StorageBusy("not now")

    with monkeypatch.context() as patched:
        patched.setattr(Asks, "carry_out", busy)
        assert (await say(bridge, ask(incident)))[0] == 503
    assert (await say(bridge, ask(incident)))[0] == 200
    assert await state(bridge, incident) == ("acknowledged", "alice")


async def test_a_reply_that_fails_changes_nothing(bridge: Bridge, incident: str) -> None:
    assert (await say(bridge, ask(incident)))[0] == 200
    assert (await say(bridge, ask(incident)))[0] == 200
    assert (await say(bridge, ask(incident, key="3", deed="resolve")))[0] == 200


async def test_outcomes_are_counted(bridge: Bridge, incident: str) -> None:
    await say(bridge, ask(incident))
    await say(bridge, ask(incident))
    await say(bridge)
    await send(bridge, b"[]", {})
    await send(bridge, b"[]", {}, "none")
    await send(bridge, b"{}", signed(b"{}"))
    async with client(bridge) as asking:
        page = (await metrics(asking)).splitlines()
    counted = sorted(line.partition("total")[2] for line in page if line.startswith("alertbridge_callbacks_total"))
    assert counted == [
        '{channel="",outcome="forged"} 1.0',
        '{channel="polly",outcome="done"} 1.0',
        '{channel="polly",outcome="forged"} 1.0',
        '{channel="polly",outcome="ignored"} 1.0',
        '{channel="polly",outcome="unchanged"} 1.0',
        '{channel="polly",outcome="unreadable"} 1.0',
    ]


async def metrics(asking: Client) -> str:
    _, page = await asking.ask("GET", "/bridge/metrics", token="ops-token")
    return str(page.decode())
