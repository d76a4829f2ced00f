"""One look at loops, rows and commits: what is stuck is seen, what has a reason to wait is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Refused, Retryable, StorageBusy
from bridge.engine.look import Inside, Look
from bridge.engine.turns import Turns
from bridge.engine.watch import Bounds, Seen, judge
from bridge.storage import journal, timers
from bridge.storage.transaction import Tx
from tests.bridge_bench import MINIMAL, Bench, engine, firing


class Seconds:
    """Monotonic seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


class Place:
    """A bench, a look at it, and their common time. The bridge looks every second, as it does."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.seconds = Seconds()
        bench.transactions.committed_at = self.seconds.at
        self.turns = [Turns(name, monotonic=self.seconds) for name in ("sender", "sweeper")]
        self.alive = True
        self.unsigned = False
        inside = Inside(lambda: self.turns, self.due, lambda: self.alive, lambda: 0.0)
        self.look = Look(bench.transactions, bench.sender, inside, bench.metrics, Bounds(), self.seconds)

    async def due(self, _now: datetime) -> bool:
        return self.unsigned

    async def live(self, seconds: int, *, work: bool = False) -> Seen:
        seen = Seen()
        for _second in range(seconds):
            self.seconds.at += 1
            self.bench.clock.turn(seconds=1)
            if work:
                await self.bench.settle()
                self.bench.transactions.committed_at = self.seconds.at
            seen = await self.look.look(self.bench.clock.now(), "")
            if not self.bench.transactions.failing:
                self.bench.transactions.committed_at = self.seconds.at
        return seen


@asynccontextmanager
async def place(folder: Path, text: str = MINIMAL) -> AsyncIterator[Place]:
    async with engine(folder, text) as bench:
        yield Place(bench)


async def test_a_bridge_at_rest_is_well(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        for turns in here.turns:
            turns.stop()
        assert judge(await here.live(120), Bounds()) == []


async def test_a_loop_that_does_not_turn_is_seen(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.live(20)
        here.turns[1].moved()
        here.turns[1].problem = "KeyError"
        seen = await here.live(5)
        assert [(stage.name, stage.still, stage.problem) for stage in seen.stages] == [
            ("sender", 25.0, ""),
            ("sweeper", 5.0, "KeyError"),
        ]


async def test_time_in_which_the_process_was_stopped_does_not_count(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.bench.accept(firing())
        await here.live(20)
        here.seconds.at += 300
        here.bench.clock.turn(seconds=300)
        seen = await here.live(1)
        assert max(stage.still for stage in seen.stages) == 0
        assert seen.stuck == ()


async def test_deliveries_that_nobody_tries_are_stuck(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.bench.accept(firing())
        assert (await here.live(60)).stuck == ()
        assert [(stuck.channel, stuck.lost) for stuck in (await here.live(10)).stuck] == [("people", 0)]


async def test_a_delivery_that_the_sender_lost_is_seen_and_given_back(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        await here.bench.accept(firing())
        here.bench.sender._lanes.clear()
        seen = [stuck for _second in range(80) for stuck in (await here.live(1, work=True)).stuck]
        assert {(stuck.channel, stuck.lost) for stuck in seen} == {("people", 1)}
        assert here.bench.told() == ["people opened"]


async def test_a_refused_credential_is_no_stall(tmp_path: Path) -> None:
    def refuses(_message: Message, _context: Context) -> Receipt | None:
        raise Refused(FailureReason.UNAUTHORIZED, "revoked")

    async with place(tmp_path) as here:
        here.bench.answers["people"] += [refuses] * 100
        await here.bench.accept(firing("A"))
        await here.bench.accept(firing("B"))
        for _minute in range(4):
            assert (await here.live(60, work=True)).stuck == ()


async def test_a_service_that_asks_to_wait_is_no_stall(tmp_path: Path) -> None:
    def limits(_message: Message, _context: Context) -> Receipt | None:
        raise Retryable(FailureReason.RATE_LIMITED, "slow down", retry_after=900)

    async with place(tmp_path) as here:
        here.bench.answers["people"] += [limits]
        await here.bench.accept(firing("A"))
        await here.live(1, work=True)
        await here.bench.accept(firing("B"))
        for _minute in range(10):
            assert (await here.live(60, work=True)).stuck == ()


async def test_a_slow_rate_with_a_long_queue_is_no_stall(tmp_path: Path) -> None:
    text = MINIMAL.replace("people: {type: console}", "people: {type: console, rate: 0.02}")
    async with place(tmp_path, text) as here:
        for number in range(6):
            await here.bench.accept(firing(f"A{number}"))
        for _half_minute in range(8):
            assert (await here.live(30, work=True)).stuck == ()
        assert 4 <= len(here.bench.sent) < 6


async def test_a_channel_that_cannot_be_used_is_no_stall(tmp_path: Path) -> None:
    from msgspec.structs import replace

    async with place(tmp_path) as here:
        generation = here.bench.transactions.generation()
        broken = replace(generation.channels["people"], channel=None, problem="no secret")
        await here.bench.accept(firing())
        here.bench.transactions.swap(replace(generation, channels={**generation.channels, "people": broken}))
        assert (await here.live(120)).stuck == ()


async def test_an_attempt_that_never_ends_is_stuck_long_after_its_time(tmp_path: Path) -> None:
    """A plugin may swallow the cancellation that its time limit is made of."""
    async with place(tmp_path) as here:
        await here.bench.accept(firing())
        live = here.bench.sender._lanes["people"].take(here.bench.clock.now(), 1)[0]
        here.bench.sender._in_flight.add(live.id)
        assert (await here.live(85)).stuck == ()
        assert [stuck.channel for stuck in (await here.live(15)).stuck] == ["people"]


@pytest.mark.parametrize("kind", ["step", "flush", "alert"])
async def test_a_timer_that_stays_the_oldest_stands_still_and_one_that_moves_on_does_not(
    tmp_path: Path, kind: str
) -> None:
    async with place(tmp_path) as here:

        async def add(tx: Tx) -> None:
            at = here.bench.clock.now()
            for second in range(200):
                await timers.add(tx, kind, at - timedelta(seconds=500 - second), "", incident=str(second))

        await here.bench.database.write(add)
        for number in range(1, 15):
            seen = await here.live(10)
            assert seen.timers[kind] <= 10
            await here.bench.database.write(lambda tx, taken=number: timers.delete(tx, taken))
        assert (await here.live(66)).timers[kind] > 60


async def test_requests_that_are_kept_and_not_planned_are_seen(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        at = here.bench.clock.now()
        await here.bench.database.write(lambda tx: journal.add(tx, "s", at, "d", b"{", "g", planned=False))
        assert (await here.live(30)).request <= 30
        assert (await here.live(40)).request > 60


async def test_an_idle_bridge_tries_a_commit_now_and_then(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        probed = await here.bench.database.read(lambda tx: journal.fact(tx, "last_probe"))
        here.seconds.at += 26
        here.bench.transactions.committed_at = here.seconds.at - 26
        await here.look.look(here.bench.clock.now(), "")
        assert probed is None
        assert await here.bench.database.read(lambda tx: journal.fact(tx, "last_probe")) is not None


async def test_commits_that_fail_are_seen_at_once_and_their_return_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object) -> None:
        raise StorageBusy("the disk is full")

    async with place(tmp_path) as here:
        monkeypatch.setattr(here.bench.database, "write", full)
        with pytest.raises(StorageBusy):
            await here.bench.accept(firing())
        assert (await here.live(1)).database == "it does not commit: the disk is full"
        monkeypatch.undo()
        assert (await here.live(1)).database == ""


async def test_a_commit_that_does_not_end_and_rows_that_cannot_be_read_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_arguments: object) -> None:
        await asyncio.Event().wait()

    async def unreadable(*_arguments: object) -> None:
        raise StorageBusy("locked")

    async with place(tmp_path) as here:
        monkeypatch.setattr("bridge.engine.look._PATIENCE", 0.01)
        monkeypatch.setattr(here.bench.database, "write", hangs)
        here.bench.transactions.committed_at -= 100
        assert "does not come to an end" in (await here.look.look(here.bench.clock.now(), "")).database
        monkeypatch.undo()
        monkeypatch.setattr(here.bench.database, "read", unreadable)
        assert (await here.live(10)).database == "it cannot be read: locked"


async def test_a_writer_that_ended_and_a_checkpoint_that_is_due_are_seen(tmp_path: Path) -> None:
    async with place(tmp_path) as here:
        here.alive, here.unsigned = False, True
        seen = await here.live(6)
        assert not seen.writer_alive
        assert seen.unsigned


async def test_a_look_into_many_rows_is_taken_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with place(tmp_path) as here:
        reads = []
        read = here.bench.transactions.read

        async def slow(unit: object) -> object:
            reads.append(here.seconds.at)
            here.seconds.at += 0.2
            return await read(unit)

        monkeypatch.setattr(here.bench.transactions, "read", slow)
        await here.live(60)
        assert len(reads) <= 4
