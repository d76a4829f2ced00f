"""When a group is looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.ticks import Timing

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TIMING = Timing(wait=MINUTE / 2, interval=5 * MINUTE, repeat=20 * MINUTE)

moments = st.integers(0, 10**9).map(lambda number: NOON + timedelta(milliseconds=number))
intervals = st.integers(1, 10**7).map(lambda number: timedelta(milliseconds=number))


def test_a_route_with_neither_wait_nor_interval_has_no_ticks() -> None:
    assert not Timing().ticks
    assert Timing(wait=MINUTE).ticks
    assert Timing(interval=MINUTE).ticks


@pytest.mark.parametrize(("age", "wait"), [(0, 0.5), (0.5, 0.5), (0.51, 0), (-10, 0.5)])
def test_a_group_is_looked_at_after_group_wait_and_at_once_if_its_alert_is_older(age: float, wait: float) -> None:
    assert TIMING.first(NOON - age * MINUTE, NOON) == NOON + wait * MINUTE


@pytest.mark.parametrize(("since", "until"), [(0, 5), (0.1, 4.9), (4.9, 0.1), (5, 0), (5.1, 4.9), (12, 3)], ids=str)
def test_news_waits_for_the_next_tick(since: float, until: float) -> None:
    assert TIMING.next(NOON - since * MINUTE, NOON) == NOON + until * MINUTE


def test_where_there_are_no_ticks_and_before_the_first_news_waits_for_nothing() -> None:
    assert TIMING.next(None, NOON) == NOON
    assert Timing(wait=MINUTE).next(NOON - MINUTE, NOON) == NOON
    assert TIMING.next(NOON + MINUTE, NOON) == NOON, "the clock was set back"


def test_a_reminder_comes_at_the_tick_after_repeat_interval_even_if_a_tick_falls_on_its_end() -> None:
    assert TIMING.reminder(NOON, NOON) == NOON + 25 * MINUTE
    assert TIMING.reminder(NOON, NOON + MINUTE) == NOON + 21 * MINUTE
    assert Timing(repeat=MINUTE).reminder(NOON, None) == NOON + MINUTE
    assert Timing(interval=MINUTE).reminder(NOON, NOON) is None


def test_an_interval_of_centuries_is_no_error() -> None:
    long = Timing(interval=timedelta(days=900_000), repeat=timedelta(days=1))
    assert long.next(NOON, NOON + MINUTE) > NOON
    assert Timing(interval=timedelta.max).next(NOON - MINUTE, NOON) == NOON


@given(flushed=moments, moment=moments, interval=intervals)
def test_ticks_keep_the_rhythm_of_the_last_and_the_nearest_is_taken(
    flushed: datetime, moment: datetime, interval: timedelta
) -> None:
    tick = Timing(interval=interval).at_or_after(flushed, moment)

    assert (tick - flushed) % interval == timedelta()
    assert tick >= moment
    assert tick > flushed
    assert tick - moment < interval or tick == flushed + interval
