"""Several bridges with the same drill: one test is sent, and judged once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.engine.reconfigured import adopt
from tests.bridge_bench import START, Dial
from tests.contract.replicas.bridges import bridges, settle, told
from tests.unit.engine.test_drills import NAMED, outcomes


async def test_bridges_hold_one_drill_between_them(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    async with bridges(tmp_path, postgres_url, 3, NAMED, clock) as found:
        await asyncio.gather(*(adopt(bench.transactions, clock.now()) for bench in found))
        for second in (0, 10, 20, 30):
            clock.time = max(clock.time, START + timedelta(minutes=30, seconds=second))
            await settle(found)
        assert told(found) == ["pager opened", "pager resolved"]
        assert await outcomes(found[1]) == ["passed"]
        assert await found[2].audit("drilled") == [("drilled", "passed", "")]
