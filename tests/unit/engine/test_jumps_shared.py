"""On a database that others share its clock decides whose clock is wrong, and no row is touched."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.domain.clock import SteadyClock
from bridge.engine.jumps import Jumps
from bridge.storage import watch
from tests.bridge_bench import Bench, engine, firing
from tests.unit.engine.test_jumps import HOUR, TEXT, YEAR, Machine

SOON = timedelta(minutes=2)
"""The database's clock is the real one here."""


def at(off: timedelta) -> tuple[Machine, SteadyClock]:
    machine = Machine()
    machine.shown = datetime.now(UTC) + off
    return machine, SteadyClock(machine, lambda: machine.seconds)


def jumps_of(bench: Bench, clock: SteadyClock) -> Jumps:
    return Jumps(clock, bench.transactions, bench.sender, bench.metrics, shared=True)


def close(moment: datetime) -> bool:
    return abs(moment - datetime.now(UTC)) < SOON


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR])
async def test_a_bridge_whose_clock_goes_wrong_keeps_the_time_and_says_so_until_it_is_right_again(
    tmp_path: Path, jump: timedelta
) -> None:
    machine, clock = at(timedelta())
    async with engine(tmp_path, TEXT, clock) as bench:
        jumps = jumps_of(bench, clock)
        await bench.accept(firing())
        before = await bench.database.read(lambda tx: watch.oldest(tx, clock.now()))
        machine.shown += jump
        for _look in range(3):
            await jumps.step()
        assert close(clock.now())
        assert "the database's time counts" in jumps.differs
        assert await bench.database.read(lambda tx: watch.oldest(tx, clock.now())) == before
        await bench.settle()
        assert bench.told() == ["people opened"]
        machine.shown -= jump
        await jumps.step()
        assert jumps.differs == ""
        assert "clock_jumped" not in [kind for kind, _reason, _channel in await bench.audit()]


@pytest.mark.parametrize("off", [HOUR, -YEAR])
async def test_a_bridge_whose_clock_is_put_right_follows_it_and_moves_no_row(tmp_path: Path, off: timedelta) -> None:
    machine, clock = at(off)
    async with engine(tmp_path, TEXT, clock) as bench:
        jumps = jumps_of(bench, clock)
        await bench.accept(firing())
        before = await bench.database.read(lambda tx: watch.oldest(tx, clock.now()))
        machine.shown -= off
        await jumps.step()
        assert close(clock.now())
        assert jumps.differs == ""
        assert ("clock_jumped", "to_the_database") in [(kind, reason) for kind, reason, _channel in await bench.audit()]
        late = clock.now() + 2 * YEAR
        after = await bench.database.read(lambda tx: watch.oldest(tx, late))
        assert after.deliveries["people"] == before.deliveries["people"]


@pytest.mark.parametrize("off", [HOUR, -YEAR])
async def test_a_bridge_that_starts_with_a_wrong_clock_takes_the_databases_time(tmp_path: Path, off: timedelta) -> None:
    _machine, clock = at(off)
    async with engine(tmp_path, TEXT, clock) as bench:
        jumps = jumps_of(bench, clock)
        await jumps.begin(None)
        assert close(clock.now())
        await jumps.step()
        assert "the database's time counts" in jumps.differs
