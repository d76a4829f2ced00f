"""`alertbridge heartbeats` and `alertbridge drills` against a whole bridge."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bridge.app.bridge import Bridge
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.http.real import client, port_of, whole_bridge

HEARTBEATS = "heartbeats: {backup: {every: 1d, grace: 1h}, report: {every: 1d, first: awaited}}\n"
DRILLS = """
fallback: nowhere
time_intervals: [{name: never, time_intervals: [{years: ['2020']}]}]
drills: {page: {time_intervals: [never]}}
"""


async def ask(bridge: Bridge, *arguments: str) -> Ran:
    return await alertbridge(*arguments, ALERTBRIDGE_URL=f"http://127.0.0.1:{port_of(bridge)}")


async def over(bridge: Bridge) -> dict[str, Any]:
    """The drill's last result, once it has one."""
    async with client(bridge) as api:
        for _look in range(600):
            [drill] = (await api.get("/api/v1/drills"))["drills"]
            if drill["results"]:
                return dict(drill["results"][0])
            await asyncio.sleep(0.1)
    raise AssertionError("it has no result")


async def test_heartbeats_are_listed_with_their_state_and_when_they_are_missing(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, HEARTBEATS) as bridge:
        async with client(bridge) as api:
            assert (await api.ask("POST", "/heartbeat/backup"))[0] == 200
        ran = await ask(bridge, "heartbeats", "list")
        assert ran.code == 0, ran.err
        backup, report = (row for row in map(str.split, ran.out.splitlines()) if row[:1] in (["backup"], ["report"]))
        assert (backup[1:4], len(backup)) == (["comes", "1d", "1h"], 8)
        assert report == ["report", "awaited", "1d", "30s"]
        [page] = (await ask(bridge, "heartbeats", "list", "--json")).documents
        assert [(one["name"], one["state"]) for one in page["heartbeats"]] == [
            ("backup", "comes"),
            ("report", "awaited"),
        ]


async def test_a_drill_is_begun_by_hand_and_its_result_is_listed(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, DRILLS, "{type: console}") as bridge:
        ran = await ask(bridge, "drills", "run", "page")
        assert (ran.code, ran.out.startswith("page: begun 2")) == (0, True), ran.err
        result = await over(bridge)
        ran = await ask(bridge, "drills", "list")
        assert ran.code == 0, ran.err
        [row] = [line for line in ran.out.splitlines() if line.split()[:1] == ["page"]]
        assert "passed" in row
        assert f"after {result['delivered_ms'] / 1000:.1f} s" in row
        [page] = (await ask(bridge, "drills", "list", "--json")).documents
        assert page["drills"][0]["results"] == [result]


async def test_a_drill_that_does_not_exist_is_refused_with_exit_code_1(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path, DRILLS, "{type: console}") as bridge:
        ran = await ask(bridge, "drills", "run", "none")
        assert (ran.code, ran.err) == (1, "alertbridge: there is no such drill\n")
