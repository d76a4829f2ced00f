"""A loop knows for how long it has not turned."""

from __future__ import annotations

import asyncio

import pytest

from bridge.domain.errors import StorageBusy
from bridge.engine.turns import Turns


class Seconds:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


async def turned(turns: Turns, *faults: Exception | None) -> None:
    """Run one turn for each fault, None for a good one."""
    left = list(faults)

    async def turn() -> float:
        fault = left.pop(0)
        if not left:
            turns._stopped.set()
        if fault is not None:
            raise fault
        return 0.0

    await turns.run(turn)
    turns._stopped.clear()


async def test_a_good_turn_is_movement(seconds: Seconds) -> None:
    turns = Turns("t", monotonic=seconds)
    seconds.at += 40
    assert turns.still_for() == 40
    await turned(turns, None)
    assert turns.still_for() == 0


async def test_a_turn_that_fails_is_none_and_leaves_its_fault(seconds: Seconds) -> None:
    turns = Turns("t", pause=0.0, monotonic=seconds)
    seconds.at += 40
    await turned(turns, RuntimeError("no"))
    assert (turns.still_for(), turns.problem) == (40, "RuntimeError")
    await turned(turns, RuntimeError("no"), None)
    assert (turns.still_for(), turns.problem) == (0, "")


async def test_a_database_that_cannot_be_used_is_no_fault_of_the_loop(seconds: Seconds) -> None:
    turns = Turns("t", pause=0.0, monotonic=seconds)
    seconds.at += 40
    await turned(turns, StorageBusy("full"))
    assert (turns.still_for(), turns.problem) == (0, "")


async def test_a_turn_that_hangs_is_none_unless_it_says_that_it_gets_further(seconds: Seconds) -> None:
    turns = Turns("t", monotonic=seconds)
    hangs = asyncio.Event()

    async def turn() -> float:
        await hangs.wait()
        return 0.0

    running = asyncio.create_task(turns.run(turn))
    await asyncio.sleep(0)
    seconds.at += 31
    assert turns.still_for() == 31
    turns.moved()
    assert turns.still_for() == 0
    turns.stop()
    hangs.set()
    await running


async def test_after_the_stop_it_stands_still_on_purpose(seconds: Seconds) -> None:
    turns = Turns("t", monotonic=seconds)
    turns.stop()
    seconds.at += 1000
    assert turns.still_for() == 0
