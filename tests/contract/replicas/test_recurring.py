"""Several bridges with the same recurring silences: each silence is made once, and announced once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.engine import recurring
from bridge.engine.reconfigured import adopt
from tests.bridge_bench import START, Dial, firing
from tests.contract.replicas.bridges import bridges, settle, told
from tests.unit.engine.test_recurring import NOON, records, silences, text

SOON = text(NOON.replace("12:30", "12:01").replace("13:00", "12:21"), notice="{before: 10m}")


async def test_bridges_make_and_announce_one_silence_between_them(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, 2, SOON) as found:
        one, two = found
        await asyncio.gather(*(adopt(bench.transactions, bench.clock.now()) for bench in found))
        for minute in (1, 11, 12):
            one.clock.time = max(one.clock.now(), START + timedelta(minutes=minute))
            await settle(found)
        assert await records(one) == [("silence_created", "")]
        assert told(found) == ["pager notice"]

        await two.accept(firing())
        await settle(found)
        assert told(found) == ["pager notice"], "each of them hides what the silence is about"
        one.clock.time = START + timedelta(minutes=21)
        await settle(found)
        assert told(found) == ["pager notice", "people opened"]


async def test_bridges_that_start_or_take_the_timer_at_once_do_it_once(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial(START + timedelta(minutes=5))
    async with bridges(tmp_path, postgres_url, 2, SOON, clock) as found:
        await asyncio.gather(*(adopt(bench.transactions, clock.now()) for bench in found))
        clock.time = START + timedelta(minutes=11)
        await asyncio.gather(*(recurring.look(bench.transactions, clock.now()) for bench in found))
        await settle(found)
        assert len(await silences(found[0])) == 1
        assert await records(found[1]) == [("silence_created", "")]
        assert told(found) == ["pager notice"]
