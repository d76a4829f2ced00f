"""Parked deliveries come back by themselves, and by a replay that is asked for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import Conflict, FailureReason, Permanent
from bridge.engine import outbox
from bridge.engine.replay import Ask
from bridge.storage.deliveries import Wanted
from tests.bridge_bench import Bench, engine, firing, resolved

WITH = """
channels:
  people: {type: console}
  pager: {type: console}
route: {receiver: people}
"""
WITHOUT = WITH.replace("  people: {type: console}\n", "").replace("receiver: people", "receiver: pager")


async def parked(bench: Bench, folder: Path, *names: str) -> None:
    """An incident of each name; its channel is gone when it is to be told, and there again afterwards."""
    before = bench.transactions.generation()
    for name in names:
        await bench.accept(firing(name))
    bench.transactions.swap(bench.configure(WITHOUT, folder))
    await bench.settle()
    assert len((await bench.operator.deliveries(states=["parked"])).deliveries) == len(names)
    bench.transactions.swap(before)
    bench.clock.turn(seconds=1)


async def replay(bench: Bench, *, everything: bool = False) -> list[tuple[int, list[str]]]:
    """(replayed, why the others are left out), of parked deliveries."""
    ask = Ask(Wanted(), parked=True, everything=everything)
    page = await bench.operator.replay(ask, "alice", bench.clock.turn(seconds=1))
    await bench.settle()
    return [(sum(one.replayed for one in page.channels), [letter.why for letter in page.left_out])]


async def test_what_is_parked_goes_on_when_a_reload_brings_its_channel_back(tmp_path: Path) -> None:
    async with engine(tmp_path, WITH) as bench:
        await parked(bench, tmp_path, "One", "Two")
        await bench.sender.reloaded(bench.clock.now())
        await bench.settle()

        assert bench.told() == ["people opened", "people opened"]
        assert len(await bench.audit("unparked")) == 2


async def test_what_a_reload_found_on_its_way_to_be_parked_is_not_left_behind(tmp_path: Path) -> None:
    """The channel was missing when its turn came, and back before that was on record."""
    async with engine(tmp_path, WITH) as bench:
        before = bench.transactions.generation()
        await bench.accept(firing())
        bench.transactions.swap(bench.configure(WITHOUT, tmp_path))
        await bench.sender.step(bench.clock.now())
        bench.transactions.swap(before)
        await bench.sender.reloaded(bench.clock.now())
        await bench.sender.idle()
        await bench.pass_time(minutes=10, step=10)

        assert bench.told() == ["people opened"]


async def test_a_replay_of_what_is_parked_takes_those_whose_channel_can_be_used(tmp_path: Path) -> None:
    async with engine(tmp_path, WITH) as bench:
        await parked(bench, tmp_path, "One", "Over")
        usable = bench.transactions.generation()
        await bench.accept(resolved("Over", end=bench.clock.turn(minutes=1)))
        bench.transactions.swap(bench.configure(WITHOUT, tmp_path))
        await bench.settle()
        assert await replay(bench) == [(0, ["channel_unusable", "channel_unusable"])]
        letter = (await bench.operator.deliveries(states=["parked"])).deliveries[0]
        with pytest.raises(Conflict, match="cannot be used"):
            await bench.operator.retry(letter.id, "alice", bench.clock.now())

        bench.transactions.swap(usable)
        assert await replay(bench) == [(1, ["not_firing"])]
        assert await replay(bench, everything=True) == [(1, [])]
        assert bench.told() == ["people opened", "people resolved"]
        assert len(await bench.audit("replayed")) == 2


async def test_dead_letters_are_not_taken_for_parked_ones_nor_the_other_way_round(tmp_path: Path) -> None:
    def refuse(message: Message, context: Context) -> Receipt | None:
        raise Permanent(FailureReason.CONTENT_REFUSED)

    async with engine(tmp_path, WITH) as bench:
        bench.answers["people"] += [refuse, refuse]
        await bench.post(firing("Dead"))
        assert await replay(bench) == [(0, [])]
        await bench.operator.replay(Ask(Wanted()), "alice", bench.clock.turn(seconds=1))
        await bench.settle()
        await parked(bench, tmp_path, "One")
        page = await bench.operator.replay(Ask(Wanted()), "alice", bench.clock.now())

        assert page.looked == 0
        assert bench.told() == ["people opened"]


async def test_a_notice_to_a_channel_that_is_gone_stays_where_it_is(tmp_path: Path) -> None:
    text = WITH.replace("channels:", "fallback: people\nchannels:", 1)
    async with engine(tmp_path, text) as bench:
        before = bench.transactions.generation()
        await bench.transactions.write(bench.clock.now(), lambda work: outbox.notice(work, "a file was refused"))
        bench.transactions.swap(bench.configure(WITHOUT, tmp_path))
        await bench.settle()

        assert await replay(bench, everything=True) == [(0, ["channel_unusable"])]
        bench.transactions.swap(before)
        assert await replay(bench) == [(0, ["notice"])]
        assert await replay(bench, everything=True) == [(1, [])]
        assert bench.told() == ["people notice"]
