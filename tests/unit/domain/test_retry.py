"""Waits between attempts, breakers and paces."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from bridge.domain.breaker import CLOSED
from bridge.domain.rate import Pace
from bridge.domain.retry import believed, gives_up, wait_before
from tests.bridge_bench import START


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 1), (2, 2), (3, 5), (4, 10), (5, 30), (6, 60)])
def test_the_first_waits_are_about_one_two_five_ten_thirty_sixty_seconds(attempt: int, seconds: float) -> None:
    wait = wait_before(attempt, None, random.Random(1)).total_seconds()

    assert 0.8 * seconds <= wait <= 1.2 * seconds


def test_later_waits_stay_between_two_and_five_minutes_give_or_take_the_jitter() -> None:
    waits = [wait_before(7 + n, None, random.Random(n)).total_seconds() for n in range(200)]

    assert min(waits) >= 0.8 * 120
    assert max(waits) <= 1.2 * 300


def test_many_deliveries_do_not_return_at_the_same_instant() -> None:
    assert len({wait_before(3, None, random.Random(n)) for n in range(50)}) > 40


def test_a_service_that_names_a_time_is_believed_up_to_an_hour() -> None:
    assert wait_before(1, 120.0, random.Random(1)) == timedelta(seconds=120)
    assert wait_before(1, 1e9, random.Random(1)) == timedelta(hours=1)
    assert wait_before(5, 1.0, random.Random(1)) > timedelta(seconds=20)


@pytest.mark.parametrize("asked", [None, 0.0, -5.0, float("nan")])
def test_a_time_that_is_none_is_not_believed(asked: float | None) -> None:
    assert believed(asked) == 0.0
    assert wait_before(1, asked, random.Random(1)) < timedelta(seconds=2)


def test_time_alone_makes_a_delivery_give_up() -> None:
    assert not gives_up(START, START + timedelta(hours=23, minutes=59), timedelta(hours=24))
    assert gives_up(START, START + timedelta(hours=24), timedelta(hours=24))


def test_a_refusal_opens_the_breaker_at_once_and_a_success_closes_it() -> None:
    breaker = CLOSED.failed(START, refused=True)

    assert breaker.open
    assert not breaker.allows(START + timedelta(seconds=4))
    assert breaker.allows(START + timedelta(seconds=5))
    assert not breaker.succeeded(START).open


def test_ten_failures_open_the_breaker_only_after_thirty_seconds_without_success() -> None:
    breaker = CLOSED
    for n in range(20):
        breaker = breaker.failed(START + timedelta(seconds=n), refused=False)
    assert not breaker.open

    assert breaker.failed(START + timedelta(seconds=31), refused=False).open


def test_an_open_breaker_lets_one_probe_through_every_five_seconds() -> None:
    breaker = CLOSED.failed(START, refused=True)
    probe = START + timedelta(seconds=5)
    breaker = breaker.probing(probe)

    assert not breaker.allows(probe + timedelta(seconds=4.9))
    assert breaker.allows(probe + timedelta(seconds=5))


def test_a_rate_spaces_messages_evenly() -> None:
    pace = Pace().after_one(START, 2.0)

    assert not pace.allows(START + timedelta(seconds=0.49))
    assert pace.allows(START + timedelta(seconds=0.5))
    assert Pace().after_one(START, None).allows(START)


def test_a_service_that_asks_for_a_pause_gets_the_longer_of_two() -> None:
    pace = Pace().after_pause(START, 60).after_pause(START, 5)

    assert not pace.allows(START + timedelta(seconds=59))
