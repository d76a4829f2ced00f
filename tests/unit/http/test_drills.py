"""`/api/v1/drills`: what a whole bridge says of a drill that is held by hand."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp

from tests.unit.http.real import Client, port_of, whole_bridge

DRILLS = """
secrets: {allow_plaintext: true}
fallback: nowhere
time_intervals: [{name: never, time_intervals: [{years: ['2020']}]}]
drills: {page: {time_intervals: [never]}}
access:
  tokens:
    - {name: reader, roles: [viewer], token: of-the-reader}
    - {name: alice, roles: [responder], token: of-alice}
"""


async def test_a_drill_held_by_hand_goes_out_and_its_result_is_listed(tmp_path: Path) -> None:
    async with (
        whole_bridge(tmp_path, DRILLS, "{type: console}") as bridge,
        aiohttp.ClientSession() as session,
    ):
        client = Client(session, port_of(bridge))
        assert (await client.ask("POST", "/api/v1/drills/page", token="of-the-reader"))[0] == 403
        assert (await client.ask("POST", "/api/v1/drills/none", token="of-alice"))[0] == 404
        status, held = await client.ask("POST", "/api/v1/drills/page", token="of-alice")
        assert (status, held["name"], held["results"]) == (200, "page", [])
        assert (await client.ask("POST", "/api/v1/drills/page", token="of-alice"))[0] == 409
        drill = await _over(client)
        assert [result["outcome"] for result in drill["results"]] == ["passed"]
        assert "next_at" not in drill


async def _over(client: Client) -> dict[str, Any]:
    """The drill once it has a result."""
    for _look in range(600):
        found: dict[str, Any] = (await client.get("/api/v1/drills", token="of-the-reader"))["drills"][0]
        if found["results"]:
            return found
        await asyncio.sleep(0.1)
    raise AssertionError("it has no result")
