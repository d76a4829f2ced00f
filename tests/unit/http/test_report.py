"""`GET /api/v1/report` against a whole bridge."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bridge.app.bridge import Bridge
from bridge.http.report import LINES
from tests.unit.http.real import Client, client, notification, port_of, whole_bridge
from tests.unit.http.test_api_v1 import check

PATH = "/api/v1/report"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path, channel="{type: console}") as running:
        yield running


@pytest.fixture
async def api(bridge: Bridge) -> AsyncIterator[Client]:
    async with client(bridge) as asking:
        yield asking


async def test_the_report_is_what_the_document_says(api: Client) -> None:
    await api.ask("POST", "/webhook", body=notification("DiskFull", squad="db"))
    incident = (await api.get("/api/v1/incidents"))["incidents"][0]["id"]
    await api.ask("POST", f"/api/v1/incidents/{incident}/acknowledge", body={"by": "alice"})

    report = await api.get(f"{PATH}?since=1h&team=squad&zone=Asia/Tokyo")

    check(await api.get("/openapi.json"), PATH, "get", report)
    assert (report["zone"], report["team"], report["total"]["incidents"]) == ("Asia/Tokyo", "squad", 1)
    assert [(line["name"], line["acknowledged"]) for line in report["teams"]] == [("db", 1)]
    assert [one["name"] for one in report["responders"]] == ["alice"]
    assert len(report["hours"]) == 24


async def test_as_lines_it_says_how_far_it_is_and_then_the_same(bridge: Bridge, api: Client) -> None:
    await api.ask("POST", "/webhook", body=notification("DiskFull"))
    query = f"?since=2020-01-01T00:00:00Z&until={(await api.get(PATH))['until']}"
    whole = await api.get(PATH + query)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port_of(bridge)}{PATH}{query}", headers={"Accept": LINES}) as answer,
    ):
        lines = [json.loads(line) for line in (await answer.text()).splitlines()]
    assert answer.content_type == LINES
    assert lines[0] == {"counted": {"done": 1, "total": 1}}
    assert lines[1:] == [{"report": whole}]


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=1h&until=2h",
        "until=2020-01-01T00:00:00",
        "zone=Nowhere",
        "zone=../../etc/passwd",
        "zone=Europe/",
        "team=%0a",
    ],
)
async def test_what_makes_no_sense_is_400(api: Client, query: str) -> None:
    assert (await api.ask("GET", f"{PATH}?{query}"))[0] == 400
