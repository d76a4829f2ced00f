"""Several bridges see a hand-off: the next person is told once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.engine import handoffs
from bridge.engine.reconfigured import adopt
from tests.contract.replicas.bridges import bridges, settle, told
from tests.unit.engine.test_calling import ON_CALL


async def test_bridges_that_look_at_once_tell_the_next_person_once(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, 2, ON_CALL) as found:
        clock = found[0].clock
        await asyncio.gather(*(adopt(bench.transactions, clock.now()) for bench in found))
        clock.time += timedelta(days=1)
        await asyncio.gather(*(handoffs.look(bench.transactions, clock.now()) for bench in found))
        await settle(found)
        assert told(found) == ["ben-slack notice"]
        clock.time += timedelta(days=1)
        await settle(found)
        assert sorted(told(found)) == ["anna-slack notice", "ben-slack notice"]
