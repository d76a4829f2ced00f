from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from bridge.domain.alert import Status
from bridge.hooks.api import Drop, Notification, Pass, Transition, Verdict
from bridge.hooks.chain import Chain
from bridge.hooks.dedupe import Dedupe, DedupeOptions
from tests.contract.hooks.notifications import NOW, alert, make, notification


def judge(subject: Notification, options: object = None) -> Verdict:
    return Chain([make(Dedupe, options)]).judge(subject).verdict


def repeat(told: timedelta | None, *alerts: object, **fields: object) -> Notification:
    """A repeat, `told` after the last telling; None if nobody was told."""
    told_at = None if told is None else NOW - told
    return notification(Transition.REPEAT, *alerts, told_at=told_at, **fields)


@pytest.mark.parametrize("transition", [Transition.OPENED, Transition.CHANGED, Transition.RESOLVED])
@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("from_webhook", [False, True])
def test_news_always_passes_unchanged(transition, acknowledged, from_webhook) -> None:
    news = notification(transition, told_at=NOW, acknowledged=acknowledged, from_webhook=from_webhook)
    assert judge(news) == Pass(news)


def test_a_stale_firing_is_dropped_as_stale() -> None:
    assert judge(notification(Transition.STALE)) == Drop("stale")


@pytest.mark.parametrize(
    ("told", "passes"),
    [
        (timedelta(0), False),
        (timedelta(minutes=4, seconds=59, microseconds=999_999), False),
        (timedelta(minutes=5), True),
        (timedelta(hours=4), True),
    ],
)
def test_a_repeat_is_a_reminder_from_the_end_of_the_window_on(told, passes) -> None:
    assert isinstance(judge(repeat(told)), Pass) is passes


def test_a_repeat_within_the_window_is_a_duplicate() -> None:
    assert judge(repeat(timedelta(seconds=30))) == Drop("duplicate")


def test_a_repeat_of_what_nobody_was_told_passes() -> None:
    assert isinstance(judge(repeat(None)), Pass)


@pytest.mark.parametrize("told", [None, timedelta(hours=4)])
def test_a_repeat_of_what_is_acknowledged_is_a_duplicate_whenever_it_comes(told) -> None:
    assert judge(repeat(told, acknowledged=True)) == Drop("duplicate")


@pytest.mark.parametrize("told", [None, timedelta(hours=4)])
def test_a_repeat_that_no_webhook_sent_is_a_duplicate_whenever_it_comes(told) -> None:
    assert judge(repeat(told, from_webhook=False)) == Drop("duplicate")


@pytest.mark.parametrize("told", [None, timedelta(hours=4)])
def test_a_repeated_resolve_is_a_duplicate_whenever_it_comes(told) -> None:
    assert judge(repeat(told, alert(Status.RESOLVED))) == Drop("duplicate")


def test_a_repeat_of_a_mixed_group_counts_as_firing() -> None:
    assert isinstance(judge(repeat(timedelta(hours=1), alert(Status.RESOLVED), alert(fingerprint="a2"))), Pass)


def test_a_clock_set_back_far_does_not_silence_reminders() -> None:
    assert isinstance(judge(repeat(timedelta(hours=-2))), Pass)


def test_a_window_of_zero_makes_every_repeat_a_reminder() -> None:
    assert isinstance(judge(repeat(timedelta(0)), {"window": "0s"}), Pass)


def test_the_short_form_names_the_window() -> None:
    assert DedupeOptions.model_validate("90s") == DedupeOptions.model_validate({"window": "90s"})
    assert DedupeOptions.model_validate_json('"90s"').window == timedelta(seconds=90)


def test_the_window_is_five_minutes_by_default() -> None:
    assert DedupeOptions.model_validate({}).window == timedelta(minutes=5)


@pytest.mark.parametrize("options", ["soon", {"window": "-5m"}, {"widow": "5m"}, ["5m"]])
def test_what_is_no_window_is_refused(options) -> None:
    with pytest.raises(ValidationError):
        DedupeOptions.model_validate(options)
