"""`alertbridge report` against a whole bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.http.real import client, notification, port_of, whole_bridge


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path, channel="{type: console}") as running:
        yield running


async def report(bridge: Bridge, *arguments: str) -> Ran:
    return await alertbridge("report", *arguments, ALERTBRIDGE_URL=f"http://127.0.0.1:{port_of(bridge)}")


async def acknowledged(bridge: Bridge) -> None:
    async with client(bridge) as api:
        await api.ask("POST", "/webhook", body=notification("DiskFull", team="\x1b[2Jdb"))
        incident = (await api.get("/api/v1/incidents"))["incidents"][0]["id"]
        await api.ask("POST", f"/api/v1/incidents/{incident}/acknowledge", body={"by": "alice"})


async def test_it_is_a_table_for_people(bridge: Bridge) -> None:
    await acknowledged(bridge)
    ran = await report(bridge, "--since", "30d", "--zone", "Europe/Berlin")
    assert (ran.code, ran.err) == (0, "")
    for word in ("MTTA", "MTTR", r"\x1b[2Jdb", "alice", "HOUR (Europe/Berlin)", "records begin at"):
        assert word in ran.out
    assert "\x1b" not in ran.out


async def test_as_json_it_is_what_the_api_answers(bridge: Bridge) -> None:
    await acknowledged(bridge)
    (document,) = (await report(bridge, "--json", "--until", "2036-01-01T00:00:00Z")).documents
    async with client(bridge) as api:
        again = await api.get(f"/api/v1/report?since={document['since']}&until={document['until']}")
    assert document == again


async def test_what_the_bridge_does_not_take_is_an_error(bridge: Bridge) -> None:
    ran = await report(bridge, "--zone", "Nowhere")
    assert ran.code == 1
    assert ran.err == "alertbridge: zone is the name of a time zone, such as Europe/Berlin\n"


async def test_it_is_drawn_where_asked(bridge: Bridge, tmp_path: Path) -> None:
    await acknowledged(bridge)
    ran = await report(bridge, "--chart", str(tmp_path / "chart.svg"))
    assert (ran.code, ran.err) == (0, "")
    assert "MTTA" in ran.out
    assert "channel nowhere" in (tmp_path / "chart.svg").read_text()
    ran = await report(bridge, "--chart", str(tmp_path / "chart.pdf"))
    assert (ran.code, "--chart" in ran.err, (tmp_path / "chart.pdf").exists()) == (2, True, False)
