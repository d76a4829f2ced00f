from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.hooks.api import Hold, HookContext, Pass, Transition
from bridge.hooks.chain import Chain
from bridge.hooks.hold import HoldOptions, HoldUntil
from bridge.net import Egress, HttpClient
from tests.contract.hooks.notifications import NOW, notification

OPENS = NOW + timedelta(hours=8)
NEWS = [Transition.OPENED, Transition.CHANGED, Transition.REPEAT]


def chain(options: object = "office", opens: timedelta = timedelta(hours=8)) -> Chain:
    asked: list[tuple[str, ...]] = []

    def when(names, at):
        asked.append(tuple(names))
        assert asked[-1] == ("office",)
        return at + opens

    hook = HoldUntil(HoldOptions.model_validate(options), HookContext(HttpClient(Egress()), when))
    return Chain([hook])


@pytest.mark.parametrize("transition", NEWS)
def test_news_is_held_until_the_time_interval_begins(transition) -> None:
    assert chain().judge(notification(transition)).verdict == Hold(OPENS, "out_of_hours", drops=True)


@pytest.mark.parametrize("transition", [Transition.RESOLVED, Transition.STALE])
def test_an_end_is_not_held(transition) -> None:
    assert isinstance(chain().judge(notification(transition)).verdict, Pass)


@pytest.mark.parametrize("transition", NEWS)
def test_within_the_time_interval_nothing_is_held(transition) -> None:
    assert isinstance(chain(opens=timedelta()).judge(notification(transition)).verdict, Pass)


@pytest.mark.parametrize(("severity", "held"), [("info", True), ("warning", True), ("critical", False), ("", False)])
def test_only_the_severities_that_are_named_are_held(severity, held) -> None:
    given = {"until": "office", "severities": ["warning", "info"]}
    verdict = chain(given).judge(notification(Transition.OPENED, severity=severity)).verdict
    assert isinstance(verdict, Hold if held else Pass)


def test_a_time_interval_that_never_begins_holds_nothing() -> None:
    context = HookContext(HttpClient(Egress()), lambda _names, _at: None)
    hook = HoldUntil(HoldOptions.model_validate("office"), context)
    assert isinstance(Chain([hook]).judge(notification(Transition.OPENED)).verdict, Pass)
