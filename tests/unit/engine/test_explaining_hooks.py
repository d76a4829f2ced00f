"""A dry run shows every hook of a chain, whatever it does, and runs none that it is not to run."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from bridge.engine.explaining_hooks import watch
from bridge.hooks.api import Drop, Forward, Hold, HookOptions, Notification, Transition, Verdict
from bridge.hooks.chain import Chain, Link
from tests.bridge_bench import START, firing

ALERT = firing()
NEWS = Notification(START, Transition.OPENED, (ALERT,), "default")


class Scripted:
    """Does what its name says."""

    Options: ClassVar = HookOptions

    def __init__(self, name: str, *, does_io: bool = False) -> None:
        self.name = name
        self.does_io = does_io
        self.seen: list[Notification] = []

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        self.seen.append(notification)
        if self.name == "drop":
            return Drop("noise", "too loud")
        if self.name == "hold":
            return Hold(START + timedelta(minutes=5), "later")
        if self.name == "fail":
            raise ValueError("no")
        if self.name == "drop_after":
            await forward(notification)
            return Drop("second_thoughts")
        return await forward(notification.with_labels(ALERT.fingerprint, {self.name: "yes"}))


def link(name: str, *, does_io: bool = False, closed: bool = False) -> Link:
    return Link(name, Scripted(name, does_io=does_io), "closed" if closed else "open")


async def seen(*links: Link, io: bool = True) -> list[tuple[str, str, str, list[str]]]:
    """(hook, verdict, reason, the labels it added)."""
    watched = await watch(Chain(links), NEWS, io=io)
    return [
        (hook.hook, hook.verdict, hook.reason, sorted(hook.labels.get(ALERT.fingerprint, {}))) for hook in watched.hooks
    ]


async def test_each_hook_is_shown_with_what_it_added_itself() -> None:
    assert await seen(link("one"), link("two"), link("three")) == [
        ("one", "pass", "", ["one"]),
        ("two", "pass", "", ["two"]),
        ("three", "pass", "", ["three"]),
    ]


async def test_hooks_behind_one_that_stops_are_not_reached() -> None:
    assert await seen(link("one"), link("drop"), link("two")) == [
        ("one", "pass", "", ["one"]),
        ("drop", "drop", "noise", []),
        ("two", "not_reached", "", []),
    ]


async def test_a_hook_that_stops_after_it_went_on_lets_the_later_ones_be_seen() -> None:
    assert await seen(link("drop_after"), link("one")) == [
        ("drop_after", "drop", "second_thoughts", []),
        ("one", "pass", "", ["one"]),
    ]


async def test_who_fails_open_is_passed_over_and_who_fails_closed_holds() -> None:
    assert await seen(link("one"), link("fail"), link("two")) == [
        ("one", "pass", "", ["one"]),
        ("fail", "error", "raised", []),
        ("two", "pass", "", ["two"]),
    ]
    watched = await watch(Chain([link("fail", closed=True), link("two")]), NEWS, io=True)
    assert [(hook.verdict, hook.until) for hook in watched.hooks] == [
        ("error", START + timedelta(seconds=30)),
        ("not_reached", None),
    ]


async def test_until_when_and_why_it_is_held_is_told() -> None:
    (hook,) = (await watch(Chain([link("hold")]), NEWS, io=True)).hooks
    assert (hook.verdict, hook.reason, hook.until) == ("hold", "later", START + timedelta(minutes=5))
    (hook,) = (await watch(Chain([link("drop")]), NEWS, io=True)).hooks
    assert hook.detail == "too loud"


async def test_hooks_that_wait_are_left_out_where_nothing_may_wait() -> None:
    waiting = link("two", does_io=True)
    assert await seen(link("one"), waiting, link("three"), io=False) == [
        ("one", "pass", "", ["one"]),
        ("two", "not_run", "", []),
        ("three", "pass", "", ["three"]),
    ]
    assert await seen(link("one"), waiting) == [("one", "pass", "", ["one"]), ("two", "pass", "", ["two"])]


async def test_hooks_know_that_it_is_a_dry_run() -> None:
    hook = Scripted("one")
    await watch(Chain([Link("one", hook)]), NEWS, io=True)
    assert [notification.dry_run for notification in hook.seen] == [True]
