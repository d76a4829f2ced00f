"""What cannot be worked off stops nobody else, and does not go unseen."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.domain.errors import StorageBusy, StorageFatal
from bridge.engine.turns import Turns
from bridge.storage import timers
from bridge.storage.transaction import Tx
from tests.bridge_bench import engine, firing
from tests.unit.engine.test_outcomes import TWO


async def test_a_timer_that_cannot_be_taken_is_put_aside_and_announced(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:

        async def plant(tx: Tx) -> None:
            for kind in ("step", "alert"):
                await timers.add(tx, kind, bench.clock.now(), "no JSON", incident="", alert=0)

        await bench.database.write(plant)
        await bench.post(firing())

        assert sorted(bench.told()) == ["pager notice", "pager notice", "people opened"]
        assert [reason for _k, reason, _c in await bench.audit("skipped")] == ["poisoned", "poisoned"]


async def test_a_delivery_that_cannot_be_read_stops_no_other(tmp_path: Path) -> None:
    async with engine(tmp_path, TWO) as bench:
        await bench.accept(firing("Broken"))

        async def damage(tx: Tx) -> None:
            tx._connection.execute("UPDATE incidents SET labels = 'no JSON'")

        await bench.database.write(damage)
        await bench.accept(firing("Fine"))
        await bench.settle()

        assert [message.alerts[0].name for message in bench.sent] == ["Fine"]
        assert bench.sender.waiting()["people"] == 1  # it waits for its next try, and is not forgotten


async def test_a_loop_outlives_whatever_a_turn_raises() -> None:
    turns = Turns("test", pause=0.01)
    done: list[int] = []

    async def turn() -> float:
        done.append(1)
        if len(done) == 1:
            raise KeyError("boom")
        turns.stop()
        return 0.0

    async with asyncio.timeout(timedelta(seconds=5).total_seconds()):
        await turns.run(turn)

    assert len(done) == 2


async def test_what_fails_at_once_does_not_spin_even_if_it_is_woken() -> None:
    turns = Turns("test", pause=0.05)
    done: list[int] = []

    async def turn() -> float:
        done.append(1)
        turns.wake()
        raise StorageBusy("not now")

    running = asyncio.create_task(turns.run(turn))
    await asyncio.sleep(0.12)
    turns.stop()
    await running

    assert 1 <= len(done) <= 4


async def test_a_loop_ends_when_the_database_can_no_longer_be_trusted() -> None:
    turns = Turns("test")

    async def turn() -> float:
        raise StorageFatal("gone")

    async with asyncio.timeout(30):
        await turns.run(turn)
