from __future__ import annotations

import asyncio

import pytest

from bridge.net.deadline import Deadline


async def test_a_deadline_ends_only_the_waits_that_are_late() -> None:
    deadline = Deadline(0.1)

    async def wait(seconds: float) -> str:
        try:
            with deadline:
                await asyncio.sleep(seconds)
        except TimeoutError:
            return "late"
        return "in time"

    async def later() -> str:
        await asyncio.sleep(0.06)
        return await wait(0.07)

    assert await asyncio.gather(wait(0), wait(5), later(), wait(0.05)) == ["in time", "late", "in time", "in time"]
    for late in (False, True):
        task = asyncio.create_task(wait(5))
        await asyncio.sleep(0.01)
        if late:
            deadline._due[task] = 0.0
            deadline._expire()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_of_two_deadlines_round_one_wait_the_outer_one_has_the_word_if_both_are_late() -> None:
    outer, inner = Deadline(0.02), Deadline(0.02)
    said: list[str] = []

    async def wait() -> None:
        try:
            with outer:
                try:
                    with inner:
                        await asyncio.Event().wait()
                except TimeoutError:
                    said.append("inner")
        except TimeoutError:
            said.append("outer")

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    for deadline in (outer, inner):
        deadline._due[task] = 0.0
        deadline._expire()
    await task
    assert said == ["outer"]
    assert task.cancelling() == 0
