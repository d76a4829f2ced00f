"""The time and the cancellation of hooks that wait."""

from __future__ import annotations

import asyncio

import pytest

from bridge.hooks.api import Drop, Forward, Hold, Notification, Pass, Verdict
from bridge.hooks.chain import CLOSED_HOLD, Chain
from tests.contract.hooks.notifications import NOW, notification
from tests.unit.hooks.acting import drops, goes_on, link, steps


async def hangs(_subject: Notification, _forward: Forward) -> Verdict:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_hook_that_is_too_slow_is_left_out() -> None:
    chain = Chain([link("slow", hangs, does_io=True, budget=0.01), link("good", goes_on)])
    judged = await chain.run(notification())
    assert judged.verdict == Pass(notification())
    assert steps(judged) == [("slow", "error", "timeout"), ("good", "pass", "")]
    assert judged.trace[0].detail == "took longer than 0.01 s"


async def test_a_hook_that_is_too_slow_and_closed_holds() -> None:
    judged = await Chain([link("slow", hangs, on_error="closed", does_io=True, budget=0.01)]).run(notification())
    assert judged.verdict == Hold(NOW + CLOSED_HOLD, "hook_error:slow")


async def test_the_time_of_later_hooks_is_not_counted() -> None:
    done = asyncio.Event()

    async def takes_its_time(subject: Notification, forward: Forward) -> Verdict:
        asyncio.get_running_loop().call_later(0.3, done.set)
        await done.wait()
        return await forward(subject)

    chain = Chain([link("hasty", goes_on, budget=0.15), link("slow", takes_its_time, does_io=True)])
    judged = await chain.run(notification())
    assert steps(judged) == [("hasty", "pass", ""), ("slow", "pass", "")]
    assert judged.trace[0].seconds < 0.15 < judged.trace[1].seconds


async def test_the_time_after_going_on_is_counted_again() -> None:
    async def hangs_afterwards(subject: Notification, forward: Forward) -> Verdict:
        await forward(subject)
        await asyncio.Event().wait()
        raise AssertionError

    chain = Chain([link("slow", hangs_afterwards, does_io=True, budget=0.01), link("good", drops)])
    judged = await chain.run(notification())
    assert (judged.verdict, judged.hook) == (Drop("unwanted", "for a test"), "good")
    assert steps(judged)[0] == ("slow", "error", "timeout")


async def test_a_hook_that_swallows_its_cancellation_is_at_fault_all_the_same() -> None:
    async def stubborn(_subject: Notification, _forward: Forward) -> Verdict:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Drop("mine")
        raise AssertionError

    judged = await Chain([link("stubborn", stubborn, does_io=True, budget=0.01)]).run(notification())
    assert isinstance(judged.verdict, Pass)
    assert steps(judged) == [("stubborn", "error", "timeout")]


async def test_a_hook_that_answers_while_the_rest_still_runs_is_at_fault() -> None:
    finish = asyncio.Event()
    tasks = []

    async def runs_ahead(subject: Notification, forward: Forward) -> Verdict:
        tasks.append(asyncio.ensure_future(forward(subject)))
        await asyncio.sleep(0)
        return Drop("enough")

    async def waits_once(subject: Notification, forward: Forward) -> Verdict:
        if not tasks[0].done() and not finish.is_set():
            finish.set()
            await asyncio.sleep(0.001)
        return await forward(subject)

    chain = Chain([link("ahead", runs_ahead, does_io=True), link("slow", waits_once, does_io=True)])
    judged = await chain.run(notification())
    await tasks[0]
    assert judged.verdict == Pass(notification())
    assert steps(judged)[0] == ("ahead", "error", "not_awaited")


async def test_cancelling_the_run_cancels_the_hook() -> None:
    entered, left = asyncio.Event(), asyncio.Event()

    async def works(_subject: Notification, _forward: Forward) -> Verdict:
        entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    task = asyncio.ensure_future(Chain([link("a", goes_on), link("b", works, does_io=True)]).run(notification()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left.is_set()
