"""A running bridge shows the silences that its configuration makes, and ends them with it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bridge.app.bridge import Bridge
from tests.bridge_bench import Dial
from tests.unit.app.test_bridge import running, write

RECURRING = """
time_intervals: [{name: years, time_intervals: [{years: ['2026:2099']}]}]
silences: [{name: patching, matchers: [cluster=db], time_intervals: [years], owner: alice, comment: all of them}]
"""


async def shown(bridge: Bridge) -> list[dict[str, Any]]:
    url = f"http://{bridge.config.server.listen}/api/v2/silences"

    def read() -> list[dict[str, Any]]:
        with urlopen(url, timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)
            return found

    return await asyncio.to_thread(read)


async def test_a_silence_of_the_configuration_is_shown_like_any_other_until_a_reload_takes_it_away(
    tmp_path: Path,
) -> None:
    path = write(tmp_path, "one")
    without = path.read_text()
    path.write_text(without + RECURRING)
    clock = Dial()
    async with running(path, clock) as bridge:
        (made,) = await shown(bridge)
        assert (made["createdBy"], made["comment"], made["status"]["state"]) == ("alice", "all of them", "active")
        assert made["annotations"] == {"recurring": "patching"}
    async with running(path, clock) as bridge:
        assert [silence["id"] for silence in await shown(bridge)] == [made["id"]]
        clock.turn(minutes=1)
        path.write_text(without)
        assert await bridge.reload() == ()
        assert [silence["status"]["state"] for silence in await shown(bridge)] == ["expired"]
