"""The loop: what is wrong is said once, past whatever stands still, and its end is said once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Permanent, Retryable, StorageBusy
from bridge.engine.announce import Announcer
from bridge.engine.attempt import Attempt
from bridge.engine.watch import Bounds, Seen, Stage, Stuck
from bridge.engine.watcher import Watcher
from bridge.secrets.instance import InstanceKeys
from tests.bridge_bench import Bench, engine

TEXT = """
channels:
  people: {type: console, fallback: other}
  word: {type: console}
  other: {type: console}
fallback: word
route: {receiver: people}
"""
STALLED = Seen(stages=(Stage("sweeper", 31.0),))
SENDER = Seen(stages=(Stage("sender", 31.0),))
FAILS = Seen(database="it does not commit: full", commit=20.0)
DEAD = Seen(writer_alive=False)


class Heart:
    """Stands for the heartbeat: keeps whether it was to beat."""

    problem = ""

    def __init__(self) -> None:
        self.well: list[bool] = []

    def step(self, *, well: bool) -> None:
        self.well.append(well)

    async def stop(self) -> None: ...


class Home:
    """A watcher on a bench; `see` lets it find what the test says, second by second."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.seconds = 0.0
        self.seen = Seen()
        self.heart = Heart()
        self.ready = self.leading = True
        self.lost = 0
        keys = InstanceKeys.load_or_create(folder / "bridge.db.keys")
        attempt = Attempt(keys, bench.clock, str)
        self.watcher = Watcher(
            self,  # type: ignore[arg-type]
            Announcer(bench.transactions, attempt, bench.clock, random.Random(1)),
            self.heart,  # type: ignore[arg-type]
            bench.clock,
            Bounds(),
            ready=self.is_ready,
            lost=self.is_lost,
            leads=lambda: self.leading,
            monotonic=lambda: self.seconds,
        )

    async def is_ready(self) -> bool:
        return self.ready

    def is_lost(self) -> None:
        self.lost += 1

    async def look(self, _now: object, _heartbeat: str) -> Seen:
        return self.seen

    async def see(self, seen: Seen, seconds: int = 1, *, sender: bool = True) -> None:
        self.seen = seen
        for _second in range(seconds):
            self.seconds += 1
            self.bench.clock.turn(seconds=1)
            await self.watcher.step()
            if self.watcher._telling is not None:
                await asyncio.gather(self.watcher._telling, return_exceptions=True)
            if sender:
                await self.bench.settle()

    def words(self) -> list[str]:
        """What the fallback was told, its first words."""
        return [message.alerts[0].annotations["summary"].split(",")[0].rstrip(".") for message in self.bench.sent]

    def troubles(self) -> list[tuple[str, str]]:
        return [(trouble.what, trouble.name) for trouble in self.watcher.troubles()]


@asynccontextmanager
async def home(folder: Path) -> AsyncIterator[Home]:
    async with engine(folder, TEXT) as bench:
        yield Home(bench, folder)


async def test_a_trouble_is_told_once_and_its_end_once(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(STALLED, 60)
        assert here.words() == ["sweeper stands still: no turn of it comes to an end"]
        assert here.troubles() == [("stage_stalled", "sweeper")]
        await here.see(Seen(), 60)
        assert here.words()[1:] == ["over: sweeper stands still; that was since 2026-03-01 11:59:30 UTC"]
        assert here.troubles() == []
        assert len(await here.bench.audit("sent")) == 2


async def test_a_trouble_says_since_when(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(STALLED)
        (trouble,) = here.watcher.troubles()
        assert trouble.since is not None
        assert (here.bench.clock.now() - trouble.since).total_seconds() == 31
        assert here.bench.sent[0].alerts[0].annotations["summary"].endswith("since 2026-03-01 11:59:30 UTC.")


async def test_a_sender_that_stands_still_is_told_of_without_it_and_not_again_when_it_is_back(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(SENDER, 5, sender=False)
        assert here.words() == ["sender stands still: no turn of it comes to an end"]
        await here.see(Seen(), 20)
        assert here.words()[1:] == ["over: sender stands still; that was since 2026-03-01 11:59:30 UTC"]
        assert [channel for _kind, _reason, channel in await here.bench.audit("sent")] == ["word", "word"]


async def test_a_word_past_the_sender_that_fails_is_one_delivery_tried_again(tmp_path: Path) -> None:
    def fails(_message: Message, _context: Context) -> Receipt | None:
        raise Retryable(FailureReason.NETWORK, "no")

    async with home(tmp_path) as here:
        here.bench.answers["word"] += [fails, fails]
        await here.see(SENDER, 30, sender=False)
        assert here.words() == ["sender stands still: no turn of it comes to an end"]
        kinds = [kind for kind, _reason, channel in await here.bench.audit() if channel == "word"]
        assert kinds == ["retry", "retry", "sent"]
        await here.see(Seen(), 60)
        assert len(here.words()) == 2


async def test_while_nothing_can_be_committed_the_word_goes_out_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object) -> None:
        raise StorageBusy("full")

    async with home(tmp_path) as here:
        monkeypatch.setattr(here.bench.database, "write", full)
        await here.see(FAILS, 40, sender=False)
        assert here.words() == ["the database fails: it does not commit: full"]
        monkeypatch.undo()
        await here.see(Seen(), 20)
        assert len(here.words()) == 2


async def test_a_trouble_that_nobody_heard_of_in_time_is_told_with_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_arguments: object) -> None:
        raise StorageBusy("full")

    async with home(tmp_path) as here:
        monkeypatch.setattr(here.bench.transactions, "write", full)
        await here.see(STALLED, 3, sender=False)
        await here.see(Seen(), 20, sender=False)
        monkeypatch.undo()
        await here.see(Seen(), 20)
        (word,) = [message.alerts[0].annotations["summary"] for message in here.bench.sent]
        assert word.startswith(
            "sweeper stands still: no turn of it comes to an end, from 2026-03-01 11:59:30 UTC until"
        )


async def test_a_fallback_that_refuses_for_good_is_not_asked_again(tmp_path: Path) -> None:
    def refuses(_message: Message, _context: Context) -> Receipt | None:
        raise Permanent(FailureReason.CONTENT_REFUSED, "no")

    async with home(tmp_path) as here:
        here.bench.answers["word"] += [refuses] * 9
        await here.see(SENDER, 60, sender=False)
        assert len(here.bench.answers["word"]) == 8


async def test_word_of_a_channel_goes_to_that_channels_fallback(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(Seen(stuck=(Stuck("people", 61.0),)))
        assert [message.channel for message in here.bench.sent] == ["other"]


async def test_only_the_bridge_that_leads_speaks_of_what_all_see(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        here.leading = False
        await here.see(Seen(timers={"step": 61.0}, request=61.0), 5)
        assert here.words() == []
        assert here.troubles() == [("escalation_overdue", "step"), ("requests_stuck", "")]
        await here.see(STALLED, 5)
        assert len(here.words()) == 1


async def test_of_itself_a_bridge_speaks_by_its_name_and_not_of_what_all_see(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        here.watcher._name = "bridge-1"
        await here.see(STALLED)
        await here.see(Seen(timers={"step": 61.0}))
        assert [word.split(":")[0] for word in here.words()] == ["bridge-1", "escalations do not move"]


async def test_the_heart_beats_only_while_all_is_well_and_alerts_are_taken(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(Seen())
        await here.see(STALLED)
        await here.see(Seen(lag=0.4, heartbeat="HTTP 500"))
        here.ready = False
        await here.see(Seen())
        assert here.heart.well == [True, False, True, False]


async def test_the_heartbeats_own_failure_is_named_and_told_to_nobody(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(Seen(heartbeat="HTTP 500"), 60)
        assert here.troubles() == [("heartbeat_fails", "")]
        assert here.words() == []


async def test_without_a_writer_the_fallback_is_told_and_the_process_is_given_up_once(tmp_path: Path) -> None:
    async with home(tmp_path) as here:
        await here.see(DEAD, 3, sender=False)
        assert here.words() == ["nothing can be kept: the thread that commits has ended"]
        assert here.lost == 1


async def test_a_fallback_that_does_not_answer_keeps_no_dead_bridge_alive(tmp_path: Path) -> None:
    def fails(_message: Message, _context: Context) -> Receipt | None:
        raise Retryable(FailureReason.NETWORK, "no")

    async with home(tmp_path) as here:
        here.bench.answers["word"] += [fails] * 9
        await here.see(DEAD, 4, sender=False)
        assert here.lost == 0
        await here.see(DEAD, 4, sender=False)
        assert here.lost == 1
