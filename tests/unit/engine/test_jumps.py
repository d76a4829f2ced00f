"""The machine's clock is set while the bridge runs: every wait keeps what was left of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.clock import SteadyClock
from bridge.domain.errors import FailureReason, Refused, Retryable, StorageBusy
from bridge.engine.jumps import Jumps
from bridge.engine.refusals import Refusals
from bridge.engine.sweeper import Sweeper
from bridge.storage import watch
from tests.bridge_bench import START, Bench, engine, firing, resolved

HOUR, YEAR = timedelta(hours=1), timedelta(days=365)
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR], ids=["+1h", "-1h", "+1y", "-1y"])

TEXT = """
channels:
  people: {type: console}
  pager: {type: console}
  word: {type: console}
fallback: word
escalations:
  up: [{after: 5m, notify: [pager]}]
route:
  receiver: people
  hooks: [dedupe, {escalate: up}]
"""


class Machine:
    """Its time of day can be set; the seconds pass."""

    def __init__(self) -> None:
        self.shown = START
        self.seconds = 0.0

    def now(self) -> datetime:
        return self.shown


class Town:
    """A bench on a machine, with all that follows the clock. `live` lets time pass and does what is due."""

    def __init__(self, bench: Bench, machine: Machine, clock: SteadyClock) -> None:
        self.bench = bench
        self.machine = machine
        self.clock = clock
        self.jumps = Jumps(clock, bench.transactions, bench.sender, bench.metrics, shared=False)
        self.sweeper = Sweeper(bench.transactions, Refusals(), no_checkpoint, bench.metrics, clock)

    async def live(self, seconds: float, step: float = 1.0) -> None:
        end = self.machine.seconds + seconds
        while self.machine.seconds < end:
            self.machine.seconds += step
            self.machine.shown += timedelta(seconds=step)
            await self.round()

    async def round(self) -> None:
        await self.bench.settle()
        await self.sweeper.step(self.clock.now())
        await self.jumps.step()
        await self.bench.settle()

    async def records(self) -> list[tuple[str, str]]:
        return [(kind, reason) for kind, reason, _channel in await self.bench.audit()]


async def no_checkpoint(_now: datetime) -> None:
    """There is nothing to sign."""


@asynccontextmanager
async def town(folder: Path, text: str = TEXT) -> AsyncIterator[Town]:
    machine = Machine()
    clock = SteadyClock(machine, lambda: machine.seconds)
    async with engine(folder, text, clock) as bench:
        yield Town(bench, machine, clock)


def fails(_message: Message, _context: Context) -> Receipt | None:
    raise Retryable(FailureReason.NETWORK, "no")


def refuses(_message: Message, _context: Context) -> Receipt | None:
    raise Refused(FailureReason.UNAUTHORIZED, "revoked")


@JUMPS
async def test_an_escalation_step_comes_when_its_wait_is_over_and_not_before(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path) as here:
        await here.bench.post(firing())
        await here.live(60)
        here.machine.shown += jump
        await here.live(230, step=5)
        assert here.bench.told() == ["people opened", "word notice"]
        await here.live(20)
        assert here.bench.told() == ["people opened", "word notice", "pager escalated"]


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["+1h", "-1h"])
async def test_a_silence_is_over_at_its_hour_whatever_the_clock_showed_before(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path) as here:
        end = START + 2 * HOUR
        await here.bench.silence("alertname=Down", end=end)
        await here.bench.post(firing())
        here.machine.shown += jump
        await here.live((end - here.machine.shown).total_seconds() - 60, step=60)
        assert here.bench.told() == ["word notice"]
        await here.live(120, step=60)
        assert here.bench.told() == ["word notice", "people opened"]


@JUMPS
async def test_a_retry_comes_when_its_wait_is_over_and_its_delivery_does_not_die(
    tmp_path: Path, jump: timedelta
) -> None:
    async with town(tmp_path) as here:
        here.bench.answers["people"] += [fails] * 5
        await here.bench.post(firing())
        await here.live(20)
        tried = len(here.bench.answers["people"])
        here.machine.shown += jump
        await here.live(5)
        assert len(here.bench.answers["people"]) == tried
        await here.live(120)
        assert here.bench.told() == ["word notice", "people opened"]
        assert "dead" not in {kind for kind, _reason in await here.records()}


@JUMPS
async def test_a_breaker_goes_on_probing_and_nothing_behind_it_dies(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path) as here:
        here.bench.answers["people"] += [refuses] * 3
        await here.bench.post(firing("A"))
        await here.bench.post(firing("B"))
        here.machine.shown += jump
        await here.live(30)
        assert here.bench.told().count("people opened") == 2
        kinds = [kind for kind, _reason in await here.records()]
        assert "dead" not in kinds
        assert kinds.count("breaker_closed") == 1


@JUMPS
async def test_a_jump_is_recorded_and_told_once_and_named_for_five_minutes(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path) as here:
        await here.bench.post(firing())
        here.machine.shown += jump
        await here.live(10)
        way = "forward" if jump > timedelta() else "backward"
        assert [reason for kind, reason in await here.records() if kind == "clock_jumped"] == [way]
        notices = [message.text for message in here.bench.sent if message.reason.value == "notice"]
        assert len(notices) == 1
        assert way in notices[0]
        assert way in here.jumps.jumped
        await here.live(300, step=10)
        assert here.jumps.jumped == ""


@JUMPS
async def test_an_attempt_that_was_under_way_is_no_older_for_it(tmp_path: Path, jump: timedelta) -> None:
    """It was claimed by the old time and fails by the new one, a year after it was planned."""
    async with town(tmp_path) as here:
        await here.bench.accept(firing())

        def jumps(_message: Message, _context: Context) -> Receipt | None:
            here.machine.shown += jump
            here.clock.adopt(jump)
            raise Retryable(FailureReason.NETWORK, "no")

        here.bench.answers["people"].append(jumps)
        await here.bench.sender.step(here.clock.now())
        moving = here.bench.transactions.write(here.clock.now(), lambda work: watch.shift(work.tx, jump, START))
        await moving
        await here.bench.sender.idle()
        assert "dead" not in {kind for kind, _reason in await here.records()}


async def test_a_round_that_began_by_the_old_time_does_nothing_by_it(tmp_path: Path) -> None:
    """It asks for what is due by a time that is a year ahead of all rows."""
    async with town(tmp_path) as here:
        here.bench.answers["people"].append(refuses)
        await here.bench.post(firing())
        old = here.clock.now()
        here.machine.shown -= YEAR
        await here.jumps.step()
        await here.bench.timekeeper.step(old)
        await here.sweeper.step(old)
        await here.bench.settle()
        assert {kind for kind, _reason in await here.records()}.isdisjoint({"dead", "escalated"})


@JUMPS
async def test_the_end_and_the_acknowledgement_still_do_what_they_do(tmp_path: Path, jump: timedelta) -> None:
    async with town(tmp_path) as here:
        await here.bench.post(firing("A"))
        await here.bench.post(firing("B"))
        here.machine.shown += jump
        await here.live(2)
        first, second = (await here.bench.operator.incidents()).incidents
        await here.bench.operator.acknowledge(first.id, "ann", here.clock.now())
        await here.bench.operator.acknowledge(second.id, "ann", here.clock.now())
        await here.live(400, step=5)
        await here.bench.post(resolved("A", end=START + timedelta(minutes=1)))
        assert here.bench.told() == ["people opened", "people opened", "word notice", "people resolved"]


async def test_while_rows_cannot_be_moved_forward_the_old_time_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(tmp_path) as here:
        await here.bench.post(firing())
        here.machine.shown += YEAR
        write = here.bench.transactions.write

        async def busy(*_arguments: object) -> None:
            raise StorageBusy("full")

        monkeypatch.setattr(here.bench.transactions, "write", busy)
        with pytest.raises(StorageBusy):
            await here.jumps.step()
        assert here.clock.now() == START
        monkeypatch.setattr(here.bench.transactions, "write", write)
        await here.round()
        assert here.clock.now() == START + YEAR
        assert here.bench.told() == ["people opened", "word notice"]


async def test_rows_that_could_not_be_moved_back_are_moved_later_and_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town(tmp_path) as here:
        await here.bench.post(firing())
        here.machine.shown -= YEAR
        write = here.bench.transactions.write

        async def busy(*_arguments: object) -> None:
            raise StorageBusy("full")

        monkeypatch.setattr(here.bench.transactions, "write", busy)
        for _look in range(3):
            with pytest.raises(StorageBusy):
                await here.jumps.step()
        monkeypatch.setattr(here.bench.transactions, "write", write)
        await here.live(310, step=5)
        assert here.bench.told() == ["people opened", "word notice", "pager escalated"]
        assert [reason for kind, reason in await here.records() if kind == "clock_jumped"] == ["backward"]


@pytest.mark.parametrize("back", [HOUR, YEAR])
async def test_a_clock_that_was_set_back_while_the_bridge_was_stopped_is_noticed_at_the_start(
    tmp_path: Path, back: timedelta
) -> None:
    async with town(tmp_path) as here:
        here.bench.answers["people"].append(fails)
        await here.bench.post(firing())
    machine = Machine()
    machine.shown = START - back
    clock = SteadyClock(machine, lambda: machine.seconds)
    async with engine(tmp_path, TEXT, clock) as bench:
        again = Town(bench, machine, clock)
        await again.jumps.begin(START)
        again.bench.sender.forget(timedelta())
        await again.bench.sender.load()
        await again.live(20)
        assert sorted(again.bench.told()) == ["people opened", "word notice"]
        await again.live(310, step=5)
        assert again.bench.told()[-1] == "pager escalated"
        assert ("clock_jumped", "while_stopped") in await again.records()


async def test_a_clock_that_stands_where_it_should_at_the_start_moves_nothing(tmp_path: Path) -> None:
    async with town(tmp_path) as here:
        await here.jumps.begin(None)
        await here.jumps.begin(START + timedelta(seconds=30))
        assert "clock_jumped" not in {kind for kind, _reason in await here.records()}
