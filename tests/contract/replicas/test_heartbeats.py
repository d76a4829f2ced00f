"""Several bridges that expect the same heartbeat: whichever hears it, and whichever misses it, it is told once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.engine.reconfigured import adopt
from tests.bridge_bench import START, Bench, Dial, firing
from tests.contract.replicas.bridges import bridges, settle, told
from tests.unit.engine.test_heartbeats import BACKUP, HEAD, WATCHDOG, beat


async def at(found: list[Bench], clock: Dial, **span: float) -> list[str]:
    clock.time = max(clock.time, START + timedelta(**span))
    await settle(found)
    return told(found)


async def begin(found: list[Bench]) -> None:
    await asyncio.gather(*(adopt(bench.transactions, bench.clock.now()) for bench in found))
    await settle(found)


async def test_what_one_bridge_hears_another_does_not_miss_and_all_miss_it_once(
    tmp_path: Path, postgres_url: str
) -> None:
    clock = Dial()
    async with bridges(tmp_path, postgres_url, 3, BACKUP, clock) as found:
        await begin(found)
        for minute, bench in zip((9, 18, 27), found, strict=True):
            await at(found, clock, minutes=minute)
            await beat(bench)
        assert await at(found, clock, minutes=37.5) == []
        assert await at(found, clock, minutes=39) == ["people opened"]
        await asyncio.gather(*(beat(bench) for bench in found))
        await settle(found)
        assert told(found) == ["people opened", "people resolved"]
        records = [kind for kind, _reason, _channel in await found[0].audit("missed")]
        assert records == ["missed"]


async def test_bridges_that_start_at_once_expect_it_once(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    async with bridges(tmp_path, postgres_url, 3, BACKUP, clock) as found:
        await begin(found)
        await begin(found)
        rows = await found[0].database.read(lambda tx: tx.all("timers_due", 2**60, 100))
        assert [row[1] for row in rows] == ["heartbeat"]
        await at(found, clock, minutes=11)
        assert told(found) == ["people opened"]


async def test_an_alert_is_a_sign_of_life_on_whichever_bridge_it_comes(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    async with bridges(tmp_path, postgres_url, 2, WATCHDOG, clock) as found:
        await begin(found)
        for minute in (5, 10, 15, 20):
            await at(found, clock, minutes=minute)
            await found[minute // 5 % 2].accept(firing("Watchdog"))
            await settle(found)
        assert await at(found, clock, minutes=30.5) == []
        assert await at(found, clock, minutes=31.5) == ["people opened"]


async def test_while_a_new_configuration_rolls_out_no_bridge_forgets_what_only_another_expects(
    tmp_path: Path, postgres_url: str
) -> None:
    clock = Dial()
    async with bridges(tmp_path, postgres_url, 2, HEAD, clock) as found:
        await begin(found)
        newer = found[1]
        newer.transactions.swap(newer.configure(BACKUP, tmp_path / "1"))
        await begin([newer])
        assert await at([found[0]], clock, minutes=12) == []
        assert await at([newer], clock, minutes=14) == ["people opened"]
