"""`GET|POST /heartbeat/NAME`: by the heartbeat's own token, or by the role `ingest`."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import port_of, whole_bridge

BEATS = """
secrets: {allow_plaintext: true}
heartbeats:
  open: {every: 1h}
  shut: {every: 1h, token: [first-token, second-token]}
  watchdog: {every: 1h, matchers: [alertname=Watchdog]}
"""
ACCESS = """
access:
  tokens:
    - {name: job, roles: [ingest], token: of-the-job}
    - {name: reader, roles: [viewer], token: of-the-reader}
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path, BEATS + ACCESS) as running:
        yield running


async def ask(
    bridge: Bridge, path: str, *, method: str = "POST", bearer: str = "", **headers: str
) -> tuple[int, dict[str, Any]]:
    given = {"Authorization": f"Bearer {bearer}", **headers} if bearer else headers
    url = f"http://127.0.0.1:{port_of(bridge)}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=given) as answer:
        return answer.status, await answer.json(content_type=None) or {}


async def states(bridge: Bridge) -> dict[str, bool]:
    """Whether each was heard of."""
    status, found = await ask(bridge, "/api/v1/heartbeats", method="GET", bearer="of-the-reader")
    assert status == 200
    return {entry["name"]: "last_at" in entry for entry in found["heartbeats"]}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["first-token", "second-token"])
async def test_a_heartbeat_with_a_token_takes_it_as_a_header_and_in_the_address(
    bridge: Bridge, method: str, token: str
) -> None:
    status, found = await ask(bridge, "/heartbeat/shut", method=method, bearer=token)
    assert (status, found["name"], found["state"]) == (200, "shut", "comes")
    assert (await ask(bridge, f"/heartbeat/shut?token={token}", method=method))[0] == 200
    basic = base64.b64encode(f"anybody:{token}".encode()).decode()
    assert (await ask(bridge, "/heartbeat/shut", method=method, Authorization=f"Basic {basic}"))[0] == 200
    assert await states(bridge) == {"open": False, "shut": True, "watchdog": False}


@pytest.mark.parametrize(
    ("path", "bearer"),
    [
        ("/heartbeat/shut", ""),
        ("/heartbeat/shut", "wrong"),
        ("/heartbeat/shut?token=", ""),
        ("/heartbeat/shut?token=%ff", ""),
        ("/heartbeat/shut?token=first-token", "wrong"),
        ("/heartbeat/shut", "of-the-job"),
        ("/heartbeat/open", ""),
        ("/heartbeat/open", "first-token"),
        ("/heartbeat/open?token=of-the-job", ""),
        ("/heartbeat/none", ""),
        ("/heartbeat/none", "wrong"),
    ],
)
async def test_whoever_has_not_the_token_is_no_sign_of_life_and_is_told_no_names(
    bridge: Bridge, path: str, bearer: str
) -> None:
    status, found = await ask(bridge, path, bearer=bearer)
    assert (status, found["detail"][:18]) == (401, "a token is needed:")
    assert not any((await states(bridge)).values())


async def test_a_heartbeat_without_a_token_takes_those_who_may_send_alerts(bridge: Bridge) -> None:
    assert (await ask(bridge, "/heartbeat/open", bearer="of-the-job"))[0] == 200
    assert (await ask(bridge, "/heartbeat/open", bearer="of-the-reader"))[0] == 403
    assert await states(bridge) == {"open": True, "shut": False, "watchdog": False}


async def test_one_that_is_none_or_comes_as_an_alert_is_not_found(bridge: Bridge) -> None:
    assert (await ask(bridge, "/heartbeat/none", bearer="of-the-job"))[0] == 404
    assert (await ask(bridge, "/heartbeat/watchdog", bearer="of-the-job"))[0] == 404
    assert not any((await states(bridge)).values())


async def test_a_look_from_a_page_or_at_the_head_is_no_sign_of_life(bridge: Bridge) -> None:
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert (await ask(bridge, "/heartbeat/shut", method="GET", bearer="first-token", **foreign))[0] == 403
    assert (await ask(bridge, "/heartbeat/shut", method="HEAD", bearer="first-token"))[0] == 405
    assert not any((await states(bridge)).values())


async def test_the_list_is_for_viewers(bridge: Bridge) -> None:
    assert (await ask(bridge, "/api/v1/heartbeats", method="GET"))[0] == 401
    assert (await ask(bridge, "/api/v1/heartbeats", method="GET", bearer="of-the-job"))[0] == 403


async def test_on_loopback_without_access_local_clients_need_no_token_but_a_heartbeats_own(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, BEATS) as bridge:
        assert (await ask(bridge, "/heartbeat/open", method="GET"))[0] == 200
        assert (await ask(bridge, "/heartbeat/shut", method="GET"))[0] == 401
        assert (await ask(bridge, "/heartbeat/open", method="GET", **{"X-Forwarded-For": "192.0.2.1"}))[0] == 403


async def test_a_reload_brings_another_token_into_force(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, BEATS) as bridge:
        path = tmp_path / "bridge.yml"
        path.write_text(path.read_text().replace("[first-token, second-token]", "third-token"))
        assert not await bridge.reload()
        assert (await ask(bridge, "/heartbeat/shut", bearer="first-token"))[0] == 401
        assert (await ask(bridge, "/heartbeat/shut", bearer="third-token"))[0] == 200


async def test_one_whose_token_cannot_be_opened_is_closed_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_TOKEN", raising=False)
    async with whole_bridge(tmp_path, "heartbeats: {a: {every: 1h, token: 'env:NO_SUCH_TOKEN'}}\n") as bridge:
        assert (await ask(bridge, "/heartbeat/a", bearer="x"))[0] == 503
        health = await bridge.health()
        assert [trouble.name for trouble in health.troubles if trouble.what == "heartbeat_closed"] == ["a"]
