"""A callback or a link that proves nothing is audited, gathered, and makes nobody's telephone ring."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.outside import REST, TOKEN, outside_bridge
from tests.unit.http.real import Client, client

SECRET_BODY = {"secret": "of-somebody"}


@pytest.fixture
async def bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bridge]:
    async with outside_bridge(tmp_path, monkeypatch, rest=f"{REST}fallback: other\n") as running:
        yield running


async def refused(bridge: Bridge, api: Client) -> dict[str, Any]:
    """Detail → reason of what the audit has as refused, once what was gathered is written."""
    await bridge._parts.sweeper.write_refusals(bridge._clock.now())
    _status, lines = await api.ask("GET", "/bridge/api/v1/audit?kind=refused", token=TOKEN)
    assert b"of-somebody" not in lines
    found = [json.loads(line) for line in lines.splitlines()]
    return {record["detail"].removeprefix("2 × "): record["reason"] for record in found}


async def test_what_proves_nothing_is_audited_without_what_it_said(bridge: Bridge) -> None:
    async with client(bridge) as api:
        for _time in range(2):
            assert (await api.ask("POST", "/bridge/callbacks/polly", body=SECRET_BODY))[0] == 401
        assert (await api.ask("POST", "/bridge/callbacks/made-up", body=SECRET_BODY))[0] == 401
        assert (await api.ask("GET", "/bridge/a/of-somebody"))[0] == 404
        assert await refused(bridge, api) == {
            "callback of polly": "forged",
            "callback of a channel that takes none": "forged",
            "link of a message": "forged",
        }
        _status, page = await api.ask("GET", "/bridge/metrics", token=TOKEN)
        assert b"alertbridge_links_forged_total 1.0" in page


async def test_nobody_is_told_of_it(bridge: Bridge) -> None:
    async with client(bridge) as api:
        await api.ask("POST", "/bridge/callbacks/polly", body=SECRET_BODY)
        await refused(bridge, api)
        _status, page = await api.ask("GET", "/bridge/api/v1/deliveries", token=TOKEN)
    assert page["deliveries"] == []
