"""The clock is set while a fire drill is under way: it has neither passed nor failed, and the next one goes by the calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Retryable, StorageBusy
from bridge.engine.drill_book import DrillBook
from bridge.storage import drills
from bridge.storage.drills import Planned
from tests.bridge_bench import START, Bench, engine
from tests.unit.engine.test_drills import ANSWERED, HEAD, NAMED, begin, outcomes, results
from tests.unit.engine.test_jumps import HOUR, YEAR, town
from tests.unit.engine.test_jumps_shared import at, close, jumps_of

HALF_PAST, DAY = START + timedelta(minutes=30), timedelta(days=1)
BY_HAND = HEAD.replace("[{times: [{start_time: '12:30', end_time: '13:00'}]}]", "[{years: ['2999']}]") + (
    "drills: {page: {time_intervals: [noon], to: pager, acknowledge: 10m, notice: people}}\n"
)
SET = "the clock was set while it was under way"


async def planned(bench: Bench) -> Planned:
    found = await bench.database.read(lambda tx: drills.get(tx, "page"))
    assert found is not None
    return found


def fails(_message: Message, _context: Context) -> Receipt | None:
    raise Retryable(FailureReason.NETWORK, "no")


@pytest.mark.parametrize(
    ("jump", "following"), [(HOUR, HALF_PAST + DAY), (-HOUR, HALF_PAST)], ids=["an hour forward", "an hour back"]
)
async def test_one_under_way_is_missed_and_the_next_is_held_at_its_hour(
    tmp_path: Path, jump: timedelta, following: datetime
) -> None:
    async with town(tmp_path, ANSWERED) as here:
        await begin(here.bench)
        await here.live(31 * 60, step=30)
        assert here.bench.told() == ["pager opened"]
        here.machine.shown += jump
        await here.live(30, step=5)
        assert [(result.outcome, result.detail) for result in await results(here.bench)] == [("missed", SET)]
        assert await here.bench.audit("missed") == [("missed", "missed", "")]
        assert sorted(here.bench.told()) == ["desk notice", "pager opened", "pager resolved", "people notice"]
        assert (await planned(here.bench)).next_at == following

        wait = (following - here.machine.shown).total_seconds()
        await here.live(wait - 60, step=60)
        assert here.bench.told().count("pager opened") == 1
        await here.live(120, step=30)
        assert here.bench.told().count("pager opened") == 2
        await here.bench.operator.acknowledge(here.bench.sent[-1].incident, "alice", here.clock.now())
        await here.live(30)
        assert sorted(await outcomes(here.bench)) == ["missed", "passed"]


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["an hour forward", "an hour back"])
async def test_one_that_did_not_arrive_yet_has_not_failed_for_it(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path, NAMED) as here:
        here.bench.answers["pager"].extend([fails] * 3)
        await begin(here.bench)
        await here.live(30 * 60, step=30)
        assert (await planned(here.bench)).run
        here.machine.shown += jump
        await here.live(60, step=5)
        assert await outcomes(here.bench) == ["missed"]


async def test_one_that_waits_is_planned_anew_by_a_clock_that_was_a_year_ahead(tmp_path: Path) -> None:
    async with town(tmp_path, NAMED) as here:
        await begin(here.bench)
        here.machine.shown -= YEAR
        await here.live(5)
        assert (await planned(here.bench)).next_at == HALF_PAST - YEAR
        assert await outcomes(here.bench) == []
        await here.live(31 * 60, step=30)
        assert await outcomes(here.bench) == ["passed"]


async def test_one_under_way_is_missed_where_the_clock_was_set_back_while_the_bridge_was_stopped(
    tmp_path: Path,
) -> None:
    async with town(tmp_path, ANSWERED) as here:
        await begin(here.bench)
        await here.live(31 * 60, step=30)
        stopped = here.clock.now()
    async with town(tmp_path, ANSWERED) as here:
        await here.jumps.begin(stopped)
        await begin(here.bench)
        await here.live(5)
        assert await outcomes(here.bench) == ["missed"]
        assert (await planned(here.bench)).next_at == HALF_PAST


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["an hour ahead", "an hour behind"])
async def test_on_a_shared_database_one_under_way_is_missed_when_the_time_of_the_database_is_taken(
    tmp_path: Path, off: timedelta
) -> None:
    machine, clock = at(off)
    async with engine(tmp_path, BY_HAND, clock) as bench:
        await begin(bench)
        jumps = jumps_of(bench, clock)
        await DrillBook(bench.transactions).hold("page", "alice", clock.now())
        await bench.settle()
        machine.shown -= off
        await jumps.step()
        await bench.settle()
        assert close(clock.now())
        assert [(result.outcome, result.detail) for result in await results(bench)] == [("missed", SET)]
        assert sorted(bench.told()) == ["desk notice", "pager opened", "pager resolved", "people notice"]
        assert await planned(bench) == Planned("page")


async def test_on_a_shared_database_a_clock_that_goes_wrong_alone_disturbs_none(tmp_path: Path) -> None:
    machine, clock = at(timedelta())
    async with engine(tmp_path, BY_HAND, clock) as bench:
        await begin(bench)
        jumps = jumps_of(bench, clock)
        await DrillBook(bench.transactions).hold("page", "alice", clock.now())
        machine.shown += HOUR
        await jumps.step()
        await bench.settle()
        assert await outcomes(bench) == []
        await bench.operator.acknowledge(bench.sent[-1].incident, "alice", clock.now())
        for _look in range(5):
            machine.shown += timedelta(seconds=1)
            machine.seconds += 1
            await jumps.step()
            await bench.settle()
        assert await outcomes(bench) == ["passed"]


async def test_a_time_of_the_database_that_cannot_be_recorded_now_is_taken_at_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine, clock = at(HOUR)
    async with engine(tmp_path, BY_HAND, clock) as bench:
        await begin(bench)
        jumps = jumps_of(bench, clock)
        await DrillBook(bench.transactions).hold("page", "alice", clock.now())
        machine.shown -= HOUR
        write = bench.transactions.write

        async def busy(*_arguments: object) -> None:
            raise StorageBusy("full")

        monkeypatch.setattr(bench.transactions, "write", busy)
        with pytest.raises(StorageBusy):
            await jumps.step()
        assert not close(clock.now())
        monkeypatch.setattr(bench.transactions, "write", write)
        await jumps.step()
        assert close(clock.now())
        assert await outcomes(bench) == ["missed"]
