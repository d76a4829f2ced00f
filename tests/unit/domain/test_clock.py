"""A clock that follows the machine's, but not when that one jumps."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.domain.clock import SteadyClock
from tests.bridge_bench import START, Dial

HOUR, YEAR = timedelta(hours=1), timedelta(days=365)


class Machine:
    """The time of day and the seconds that pass, turned apart."""

    def __init__(self) -> None:
        self.dial = Dial()
        self.seconds = 1000.0

    def live(self, seconds: float) -> None:
        self.seconds += seconds
        self.dial.turn(seconds=seconds)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(machine: Machine) -> SteadyClock:
    return SteadyClock(machine.dial, lambda: machine.seconds)


def test_it_shows_what_the_machine_shows(machine: Machine, clock: SteadyClock) -> None:
    machine.live(5)
    assert clock.now() == START + timedelta(seconds=5)
    assert clock.jump() == timedelta()


def test_it_follows_a_slow_drift_however_far_it_goes(machine: Machine, clock: SteadyClock) -> None:
    for _minute in range(60):
        machine.live(60)
        machine.dial.turn(seconds=1.5)
        assert clock.now() == machine.dial.now()
    assert clock.jump() == timedelta()


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR, timedelta(seconds=3), timedelta(seconds=-3)])
def test_a_jump_is_not_followed_until_it_is_adopted(machine: Machine, clock: SteadyClock, jump: timedelta) -> None:
    machine.dial.time += jump
    machine.live(7)
    assert clock.now() == START + timedelta(seconds=7)
    assert clock.jump() == jump

    clock.adopt(jump)

    assert clock.now() == machine.dial.now()
    assert clock.jump() == timedelta()


def test_a_jump_that_is_taken_back_never_was(machine: Machine, clock: SteadyClock) -> None:
    machine.dial.time += HOUR
    clock.now()
    machine.dial.time -= HOUR
    assert clock.jump() == timedelta()
    assert clock.now() == START


@pytest.mark.parametrize("jump", [HOUR, -HOUR, YEAR, -YEAR])
def test_what_was_read_before_a_jump_is_put_into_the_time_after_it(
    machine: Machine, clock: SteadyClock, jump: timedelta
) -> None:
    before = clock.now()
    machine.dial.time += jump
    clock.adopt(jump)
    machine.live(2)
    assert clock.mend(before) == before + jump
    assert clock.mend(clock.now()) == clock.now()


def test_what_is_written_after_the_rows_were_moved_is_of_the_new_time_before_it_counts(
    machine: Machine, clock: SteadyClock
) -> None:
    machine.dial.time += HOUR
    clock.expect(HOUR)
    assert clock.mend(clock.now()) == START + HOUR
    clock.give_up()
    assert clock.mend(clock.now()) == START


def test_a_minute_after_a_jump_nothing_is_mended_any_more(machine: Machine, clock: SteadyClock) -> None:
    machine.dial.time -= YEAR
    clock.adopt(-YEAR)
    machine.live(61)
    assert clock.mend(START) == START
