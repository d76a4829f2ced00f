"""Hooks that do what a test tells them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bridge.hooks.api import Drop, Forward, Hold, HookOptions, Notification, Verdict
from bridge.hooks.chain import Judged, Link
from tests.contract.hooks.notifications import NOW

Behaviour = Callable[[Notification, Forward], Awaitable[Any]]


@dataclass
class Act:
    """A hook that does what it is told."""

    behaviour: Behaviour
    does_io: bool = False
    name = "act"
    Options = HookOptions

    def __call__(self, subject: Notification, forward: Forward) -> Awaitable[Verdict]:
        return self.behaviour(subject, forward)


def link(name: str, behaviour: Behaviour, *, on_error: Any = "open", does_io: bool = False, budget: float = 60) -> Link:
    return Link(name, Act(behaviour, does_io), on_error, budget)


async def goes_on(subject: Notification, forward: Forward) -> Verdict:
    return await forward(subject)


async def drops(_subject: Notification, _forward: Forward) -> Verdict:
    return Drop("unwanted", "for a test")


async def holds(_subject: Notification, _forward: Forward) -> Verdict:
    return Hold(NOW + timedelta(hours=1), "later")


def steps(judged: Judged) -> list[tuple[str, str, str]]:
    return [(step.hook, step.verdict.value, step.reason) for step in judged.trace]
