"""Wrong tokens at the API, API v2, heartbeats and calendars are counted and audited, gathered, and ring nobody's telephone."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from bridge.engine.work import Work
from tests.unit.http.real import Client, client, whole_bridge

CONFIG = """
fallback: nowhere
secrets: {allow_plaintext: true}
people: {anna: }
schedules:
  payments: {layers: [{people: [anna], start: 2025-01-06, every: daily}]}
heartbeats:
  open: {every: 1h}
  shut: {every: 1h, token: of-the-heartbeat}
access:
  tokens:
    - {name: ops, roles: [admin], token: of-ops}
    - {name: reader, roles: [viewer], token: of-the-reader}
"""
WRONG = "guessed-by-somebody"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path, CONFIG) as running:
        yield running


async def refused(bridge: Bridge, api: Client) -> Counter[tuple[str, str]]:
    """How often the audit has each (reason, detail) as refused, once what was gathered is written."""
    await bridge._parts.sweeper.write_refusals(bridge._clock.now())
    # What the bridge itself has just taken to write down comes before this.
    await bridge.transactions.write(bridge._clock.now(), nothing)
    _status, lines = await api.ask("GET", "/api/v1/audit?kind=refused", token="of-ops")
    assert WRONG.encode() not in lines
    found: Counter[tuple[str, str]] = Counter()
    for record in map(json.loads, lines.splitlines()):
        many, times, rest = record["detail"].partition(" × ")
        found[record["reason"], rest if times else record["detail"]] += int(many) if times else 1
    return found


async def nothing(_work: Work) -> None:
    """A place in the queue."""


async def counted(api: Client) -> dict[str, float]:
    _status, page = await api.ask("GET", "/metrics", token="of-ops")
    lines = [line for line in page.decode().splitlines() if line.startswith("alertbridge_requests_refused_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


async def test_wrong_tokens_are_counted_and_audited_without_what_they_said(bridge: Bridge) -> None:
    async with client(bridge) as api:
        for _time in range(3):
            assert (await api.ask("GET", "/api/v1/incidents", token=WRONG))[0] == 401
        assert (await api.ask("POST", f"/api/v1/drills/{WRONG}", token=WRONG))[0] == 401
        assert (await api.ask("GET", "/api/v2/silences", token=WRONG))[0] == 401
        assert (await api.ask("POST", "/heartbeat/shut", token=WRONG))[0] == 401
        assert (await api.ask("POST", f"/heartbeat/shut?token={WRONG}"))[0] == 401
        assert (await api.ask("POST", "/heartbeat/open", token=WRONG))[0] == 401
        assert (await api.ask("POST", f"/heartbeat/{WRONG}", token=WRONG))[0] == 401
        assert (await api.ask("GET", f"/schedules/payments.ics?token={WRONG}"))[0] == 404
        assert (await api.ask("GET", f"/schedules/{WRONG}.ics?token={WRONG}"))[0] == 404
        assert await refused(bridge, api) == {
            ("wrong_token", "API"): 4,
            ("wrong_token", "API v2"): 1,
            ("wrong_token", "heartbeat shut"): 2,
            ("wrong_token", "heartbeat open"): 1,
            ("wrong_token", "heartbeat"): 1,
            ("wrong_token", "calendar payments"): 1,
            ("wrong_token", "calendar"): 1,
        }
        assert await counted(api) == {"wrong_token": 11}


async def test_a_token_that_may_not_and_a_page_of_another_site_are_audited_with_the_reason(bridge: Bridge) -> None:
    async with client(bridge) as api:
        assert (await api.ask("POST", "/-/reload", token="of-the-reader"))[0] == 403
        assert (await api.ask("POST", "/heartbeat/open", token="of-the-reader"))[0] == 403
        assert (await api.ask("POST", "/api/v2/silences", token="of-the-reader"))[0] == 403
        assert (await api.ask("GET", "/heartbeat/shut", headers={"Sec-Fetch-Site": "cross-site"}))[0] == 403
        assert await refused(bridge, api) == {
            ("forbidden", "API: this token does not have the role admin"): 1,
            ("forbidden", "heartbeat open: this token does not have the role ingest"): 1,
            ("forbidden", "API v2: this token does not have the role responder"): 1,
            ("forbidden", "heartbeat shut: a request from another site's page is no sign of life"): 1,
        }
        assert await counted(api) == {"forbidden": 4}


async def test_a_request_without_any_token_is_only_counted(bridge: Bridge) -> None:
    async with client(bridge) as api:
        assert (await api.ask("GET", "/api/v1/incidents"))[0] == 401
        assert (await api.ask("GET", "/api/v2/silences"))[0] == 401
        assert (await api.ask("POST", "/heartbeat/shut"))[0] == 401
        assert (await api.ask("POST", "/heartbeat/open"))[0] == 401
        assert (await api.ask("GET", "/schedules/payments.ics"))[0] == 404
        assert await refused(bridge, api) == {}
        assert await counted(api) == {"no_token": 5}


async def test_nobody_is_told_of_them(bridge: Bridge) -> None:
    async with client(bridge) as api:
        await api.ask("GET", "/api/v1/incidents", token=WRONG)
        await api.ask("POST", "/-/reload", token="of-the-reader")
        assert len(await refused(bridge, api)) == 2
        _status, page = await api.ask("GET", "/api/v1/deliveries", token="of-ops")
    assert page["deliveries"] == []


async def test_a_webhook_with_a_wrong_token_is_audited_once_as_one(bridge: Bridge) -> None:
    async with client(bridge) as api:
        assert (await api.ask("POST", "/webhook", body={}, token=WRONG))[0] == 401
        assert await refused(bridge, api) == {("unauthenticated", "this token is not known"): 1}
        assert await counted(api) == {}
