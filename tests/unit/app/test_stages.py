"""A stage that fails begins anew, is named for a while, and takes nothing with it."""

from __future__ import annotations

import asyncio

import pytest

from bridge.app import stages as staged
from bridge.app.stages import Stages
from tests.bridge_bench import Dial


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staged, "_PAUSE", 0.001)


@pytest.mark.parametrize("fault", [RuntimeError("no"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
async def test_a_stage_that_fails_begins_anew_and_is_named_for_five_minutes(fault: BaseException) -> None:
    clock, again = Dial(), asyncio.Event()
    runs = []

    async def fails_once() -> None:
        runs.append(1)
        if len(runs) == 1:
            raise fault
        again.set()

    stages = Stages(clock)
    stages.start(sender=fails_once)
    await asyncio.wait_for(again.wait(), 30)
    assert [(stall.stage, stall.error) for stall in stages.stalled()] == [("sender", type(fault).__name__)]
    clock.turn(minutes=5)
    assert stages.stalled() == []
    await stages.end()


async def test_the_other_stages_go_on() -> None:
    ticks = asyncio.Semaphore(0)
    stop = asyncio.Event()

    async def works() -> None:
        while not stop.is_set():
            ticks.release()
            await asyncio.sleep(0)

    async def fails() -> None:
        raise RuntimeError("no")

    stages = Stages(Dial())
    stages.start(works=works, fails=fails)
    for _tick in range(50):
        await ticks.acquire()
    stop.set()
    await asyncio.wait_for(stages.end(), 30)
    assert [stall.stage for stall in stages.stalled()] == ["fails"]


async def test_a_stage_that_returns_is_not_begun_again() -> None:
    runs = []

    async def ends() -> None:
        runs.append(1)

    stages = Stages(Dial())
    stages.start(ends=ends)
    await asyncio.sleep(0.01)
    await stages.end()
    assert runs == [1]
    assert stages.stalled() == []
