"""The chain against hooks that do what hooks must not."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from bridge.domain.errors import ConfigError
from bridge.hooks.api import Drop, Forward, Hold, HookOptions, Notification, Pass, Verdict
from bridge.hooks.chain import CLOSED_HOLD, Chain, Judged, Link
from tests.contract.hooks.notifications import NOW, notification, without_suspending
from tests.unit.hooks.acting import Act, drops, goes_on, holds, link, steps


@pytest.fixture(params=[False, True], ids=["pure", "io"])
def run(request) -> Callable[..., Awaitable[Judged]]:
    """Runs links in a chain that is pure, or one that has a hook with I/O at its end (left out of the trace)."""

    async def runner(*links: Link, subject: Notification | None = None) -> Judged:
        last = [link("last", goes_on, does_io=True)] if request.param else []
        judged = await Chain([*links, *last]).run(subject or notification())
        kept = tuple(step for step in judged.trace if step.hook != "last")
        return Judged(judged.verdict, judged.hook, kept)

    return runner


def test_a_chain_without_hooks_passes_everything_on() -> None:
    given = notification()
    assert Chain([]).judge(given) == Judged(Pass(given), "", ())


async def test_hooks_see_the_notification_in_their_order(run) -> None:
    async def first(subject: Notification, forward: Forward) -> Verdict:
        return await forward(subject.with_labels("a1", {"seen": "first"}))

    async def second(subject: Notification, forward: Forward) -> Verdict:
        return await forward(subject.with_labels("a1", {"seen": subject.labels["a1"]["seen"] + " second"}))

    judged = await run(link("first", first), link("second", second))
    assert judged.verdict.notification.labels == {"a1": {"seen": "first second"}}
    assert judged.hook == ""
    assert steps(judged) == [("first", "pass", ""), ("second", "pass", "")]


async def test_who_drops_is_named_and_later_hooks_are_not_asked(run) -> None:
    judged = await run(link("a", goes_on), link("b", drops), link("c", goes_on))
    assert judged.verdict == Drop("unwanted", "for a test")
    assert judged.hook == "b"
    assert steps(judged) == [("a", "pass", ""), ("b", "drop", "unwanted")]


async def test_who_holds_is_named(run) -> None:
    judged = await run(link("a", holds))
    assert judged.verdict == Hold(NOW + timedelta(hours=1), "later")
    assert judged.hook == "a"
    assert steps(judged) == [("a", "hold", "later")]


async def test_an_outer_hook_may_stop_what_the_inner_ones_passed(run) -> None:
    async def after(subject: Notification, forward: Forward) -> Verdict:
        await forward(subject)
        return Drop("after_all")

    judged = await run(link("outer", after), link("inner", goes_on))
    assert (judged.verdict, judged.hook) == (Drop("after_all"), "outer")
    assert steps(judged) == [("outer", "drop", "after_all"), ("inner", "pass", "")]


async def test_an_outer_hook_may_change_what_comes_back(run) -> None:
    async def after(subject: Notification, forward: Forward) -> Verdict:
        verdict = await forward(subject)
        assert isinstance(verdict, Pass)
        return Pass(replace(verdict.notification, escalation="late"))

    judged = await run(link("outer", after))
    assert judged.verdict.notification.escalation == "late"
    assert judged.hook == ""


async def raises(_subject: Notification, _forward: Forward) -> Verdict:
    raise ZeroDivisionError("the text may quote a credential")


async def exits(_subject: Notification, _forward: Forward) -> Verdict:
    sys.exit("goodbye")


async def cancels(_subject: Notification, _forward: Forward) -> Verdict:
    raise asyncio.CancelledError


async def goes_on_twice(subject: Notification, forward: Forward) -> Verdict:
    await forward(subject)
    return await forward(subject)


async def hides_going_on_twice(subject: Notification, forward: Forward) -> Verdict:
    verdict = await forward(subject)
    with contextlib.suppress(Exception):
        await forward(subject)
    return verdict


async def passes_by_itself(subject: Notification, _forward: Forward) -> Verdict:
    return Pass(subject)


async def forgets_to_await(subject: Notification, forward: Forward) -> Any:
    return forward(subject)


async def returns_nothing(_subject: Notification, _forward: Forward) -> Any:
    return None


async def returns_a_naive_time(_subject: Notification, _forward: Forward) -> Verdict:
    return Hold(datetime(2026, 1, 1), "later")  # noqa: DTZ001 - the fault under test


async def returns_a_word_for_a_time(_subject: Notification, _forward: Forward) -> Any:
    return Hold("tomorrow", "later")


async def drops_without_a_reason(_subject: Notification, _forward: Forward) -> Verdict:
    return Drop("")


async def drops_for_a_number(_subject: Notification, _forward: Forward) -> Any:
    return Drop(7)


async def forwards_rubbish(_subject: Notification, forward: Any) -> Verdict:
    return await forward("everything is fine")


def is_no_coroutine(_subject: Notification, _forward: Forward) -> Any:
    return Drop("at_once")


BEFORE = [
    (raises, "raised"),
    (exits, "raised"),
    (cancels, "raised"),
    (passes_by_itself, "not_forwarded"),
    (forgets_to_await, "not_awaited"),
    (returns_nothing, "bad_verdict"),
    (returns_a_naive_time, "bad_verdict"),
    (returns_a_word_for_a_time, "bad_verdict"),
    (drops_without_a_reason, "bad_verdict"),
    (drops_for_a_number, "bad_verdict"),
    (forwards_rubbish, "bad_verdict"),
]
FAULTS = [*BEFORE, (goes_on_twice, "forwarded_twice"), (hides_going_on_twice, "forwarded_twice")]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
async def test_a_hook_at_fault_that_is_open_is_left_out(run, fault, reason) -> None:
    judged = await run(link("bad", fault), link("good", goes_on))
    assert judged.verdict == Pass(notification())
    assert judged.hook == ""
    assert steps(judged) == [("bad", "error", reason), ("good", "pass", "")]


@pytest.mark.parametrize(("fault", "reason"), FAULTS)
async def test_a_hook_at_fault_that_is_closed_holds_for_half_a_minute(run, fault, reason) -> None:
    judged = await run(link("bad", fault, on_error="closed"), link("good", goes_on))
    assert judged.verdict == Hold(NOW + timedelta(seconds=30), "hook_error:bad")
    assert judged.hook == "bad"
    assert steps(judged)[0] == ("bad", "error", reason)


@pytest.mark.parametrize(("fault", "_reason"), FAULTS)
async def test_a_hook_at_fault_does_not_undo_what_a_later_one_decided(run, fault, _reason) -> None:
    judged = await run(link("bad", fault), link("good", drops))
    assert (judged.verdict, judged.hook) == (Drop("unwanted", "for a test"), "good")


async def test_a_pure_hook_must_be_a_coroutine() -> None:
    judged = Chain([link("bad", is_no_coroutine)]).judge(notification())
    assert steps(judged) == [("bad", "error", "bad_verdict")]
    assert "async def" in judged.trace[0].detail


async def raises_afterwards(subject: Notification, forward: Forward) -> Verdict:
    await forward(subject.with_labels("a1", {"team": "web"}))
    raise OSError("the text may quote a credential")


async def test_what_raises_after_going_on_keeps_what_came_back(run) -> None:
    judged = await run(link("bad", raises_afterwards), link("good", goes_on))
    assert judged.verdict.notification.labels == {"a1": {"team": "web"}}
    assert steps(judged) == [("bad", "error", "raised"), ("good", "pass", "")]


async def test_what_raises_after_going_on_and_is_closed_holds(run) -> None:
    judged = await run(link("bad", raises_afterwards, on_error="closed"), link("good", goes_on))
    assert judged.verdict == Hold(NOW + CLOSED_HOLD, "hook_error:bad")
    assert steps(judged) == [("bad", "error", "raised"), ("good", "pass", "")]


async def test_what_a_later_hook_stopped_cannot_be_passed(run) -> None:
    async def overrules(subject: Notification, forward: Forward) -> Verdict:
        await forward(subject)
        return Pass(subject)

    judged = await run(link("bad", overrules), link("good", drops))
    assert (judged.verdict, judged.hook) == (Drop("unwanted", "for a test"), "good")
    assert steps(judged)[0] == ("bad", "error", "overruled")


async def test_the_text_of_a_foreign_error_is_not_recorded(run) -> None:
    judged = await run(link("bad", raises))
    assert judged.trace[0].detail == "raised ZeroDivisionError"


async def test_the_text_of_our_own_errors_is_recorded(run) -> None:
    async def refuses(_subject: Notification, _forward: Forward) -> Verdict:
        raise ConfigError("no such table")

    judged = await run(link("bad", refuses))
    assert judged.trace[0].detail == "raised ConfigError: no such table"


def test_a_pure_chain_never_suspends() -> None:
    judged = without_suspending(Chain([link("a", goes_on), link("b", drops)]).run(notification()))
    assert judged.hook == "b"


def test_a_pure_hook_that_waits_is_left_out_and_nothing_waits() -> None:
    async def sleeps(subject: Notification, forward: Forward) -> Verdict:
        await asyncio.Future(loop=loop)
        return await forward(subject)

    loop = asyncio.new_event_loop()
    judged = without_suspending(Chain([link("liar", sleeps), link("good", goes_on)]).run(notification()))
    loop.close()
    assert steps(judged) == [("liar", "error", "waited"), ("good", "pass", "")]


def test_a_chain_that_does_io_must_be_awaited() -> None:
    chain = Chain([link("a", goes_on), link("b", goes_on, does_io=True)])
    assert chain.does_io
    with pytest.raises(RuntimeError, match="awaited"):
        chain.judge(notification())


def test_a_hook_that_does_not_say_counts_as_doing_io() -> None:
    class Silent:
        name = "silent"
        Options = HookOptions
        __call__ = staticmethod(goes_on)

    assert Chain([Silent()]).does_io  # type: ignore[list-item]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, GeneratorExit, SystemExit])
@pytest.mark.parametrize("does_io", [False, True])
async def test_a_hook_cannot_end_the_bridge_by_what_it_raises(raised: type[BaseException], does_io: bool) -> None:
    async def ends_everything(_subject: Notification, _forward: Forward) -> Verdict:
        raise raised

    judged = await Chain([link("a", ends_everything, does_io=does_io)]).run(notification())

    assert steps(judged) == [("a", "error", "raised")]
    assert isinstance(judged.verdict, Pass)


def test_a_bare_hook_gets_its_own_name_and_fails_open() -> None:
    judged = Chain([Act(raises)]).judge(notification())
    assert steps(judged) == [("act", "error", "raised")]
    assert isinstance(judged.verdict, Pass)
