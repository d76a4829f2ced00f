"""What a bridge that is told to stop does with what is under way."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from tests.bridge_bench import Bench, engine, firing

LONG = timedelta(minutes=1)


class Door:
    """A channel behind which each message waits until it is let through."""

    def __init__(self) -> None:
        self.came: dict[str, asyncio.Event] = {}
        self.through: dict[str, asyncio.Event] = {}

    def at(self, name: str) -> tuple[asyncio.Event, asyncio.Event]:
        return self.came.setdefault(name, asyncio.Event()), self.through.setdefault(name, asyncio.Event())

    async def send(self, message: Message, _context: Context) -> Receipt:
        came, through = self.at(message.alerts[0].labels["alertname"])
        came.set()
        await through.wait()
        return Receipt()


def behind(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Door:
    door = Door()
    monkeypatch.setattr(bench.transactions.generation().channels["people"].channel, "send", door.send)
    return door


async def begun(bench: Bench, door: Door, name: str) -> None:
    """An alert is claimed, and its message is under way."""
    await bench.accept(firing(name))
    while await bench.backlog.step():
        pass
    await bench.sender.step(bench.clock.now())
    await door.at(name)[0].wait()


async def test_what_a_claim_that_was_under_way_begins_may_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as bench:
        door = behind(bench, monkeypatch)
        await begun(bench, door, "First")
        stopping = asyncio.create_task(bench.sender.stop(LONG))
        await asyncio.sleep(0)
        await begun(bench, door, "Second")  # by the turn that was under way when the stop came

        door.at("First")[1].set()
        while not await bench.audit("sent"):  # noqa: ASYNC110 - nobody tells when it is on record
            await asyncio.sleep(0)
        assert not stopping.done()
        door.at("Second")[1].set()
        await stopping

        assert len(await bench.audit("sent")) == 2
        assert await bench.audit("unknown") == []


async def test_what_does_not_end_within_the_grace_is_cut_off_and_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine(tmp_path) as bench:
        door = behind(bench, monkeypatch)
        await begun(bench, door, "First")

        await bench.sender.stop(timedelta(milliseconds=10))

        assert await bench.audit("unknown") == [("unknown", "timeout", "people")]
        assert await bench.audit("sent") == []
