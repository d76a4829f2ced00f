"""`alertbridge deliveries` against a whole bridge whose every delivery dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from bridge.app.bridge import Bridge
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.http.real import client, notification, port_of, whole_bridge


async def deliveries(bridge: Bridge, *arguments: str) -> Ran:
    return await alertbridge("deliveries", *arguments, ALERTBRIDGE_URL=f"http://127.0.0.1:{port_of(bridge)}")


async def dead(bridge: Bridge) -> dict[str, Any]:
    """The newest delivery, once it is dead."""
    async with client(bridge) as api:
        for _ in range(100):
            found = (await api.get("/api/v1/deliveries?state=dead&limit=1"))["deliveries"]
            if found:
                return dict(found[0])
            await asyncio.sleep(0.05)
    raise AssertionError("the delivery did not die")


async def test_dead_letters_are_listed_and_tried_again(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        async with client(bridge) as api:
            await api.ask("POST", "/webhook", body=notification("DiskFull"))
        died = await dead(bridge)
        ran = await deliveries(bridge, "list", "--state", "dead", "--channel", "nowhere")
        assert ran.code == 0
        assert died["incident"] in ran.out
        assert "dead" in ran.out
        (page,) = (await deliveries(bridge, "list", "--channel", "other", "--json")).documents
        assert page == {"deliveries": [], "next": None}
        ran = await deliveries(bridge, "retry", died["id"], "999", "--by", "alice")
        assert ran.code == 1
        assert f"{died['id']}: " in ran.out
        assert "999: there is none with this id" in ran.err
        assert (await dead(bridge))["attempts"] > died["attempts"]


async def test_a_state_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        ran = await deliveries(bridge, "list", "--state", "gone")
        assert ran.code == 2
        assert "dead" in ran.err
