"""How fast a credential is used after its service said "too fast", and after an outage; what a breaker announces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.breaker import CLOSED
from bridge.domain.errors import FailureReason, Refused, Retryable
from bridge.domain.rate import Pace
from tests.bridge_bench import START, Answer, Bench, engine, firing

MAIN = """
fallback: pager
channels:
  people: {type: console, max_in_flight: MOST}
  pager: {type: console}
route:
  receiver: people
"""


class Always(list[Answer]):
    """The same answer for every message."""

    def __init__(self, answer: Answer) -> None:
        super().__init__([answer])

    def pop(self, _index: object = 0) -> Answer:
        return self[0]


class Limiter:
    """A service that takes `most` messages in each window of `per` seconds, and notes who comes before his time."""

    def __init__(self, now: Callable[[], datetime], most: int, per: float) -> None:
        self._now = now
        self._most = most
        self._per = timedelta(seconds=per)
        self.begun = START
        self.banned_until: datetime | None = None
        self.count = self.refused = self.early = 0
        self.taken: list[str] = []

    def __call__(self, message: Message, _context: Context) -> Receipt:
        now = self._now()
        if self.banned_until is not None and now < self.banned_until:
            self.early += 1
        if now - self.begun >= self._per:
            self.begun, self.count = now, 0
        if self.count >= self._most:
            self.refused += 1
            self.banned_until = self.begun + self._per
            wait = (self.banned_until - now).total_seconds()
            raise Retryable(FailureReason.RATE_LIMITED, retry_after=wait)
        self.count += 1
        self.taken.append(message.alerts[0].labels["alertname"])
        return Receipt()


async def through(bench: Bench, limiter: Limiter, number: int) -> None:
    """Post so many alerts at once and let the clock run until the service has all, or an hour is over."""
    bench.answers["people"] = Always(limiter)
    generation = bench.transactions.generation()
    recorder = generation.channels["people"].channel
    recorder._answers = bench.answers["people"]  # type: ignore[union-attr]
    for one in range(number):
        await bench.accept(firing(f"Alert{one}"))
    end = START + timedelta(hours=1)
    while len(limiter.taken) < number and bench.clock.now() < end:
        await bench.settle()
        now = bench.clock.now()
        bench.clock.time = max(now + timedelta(milliseconds=20), bench.sender._next(now))


@pytest.mark.parametrize(("most", "per"), [(1, 1.0), (20, 10.0), (100, 60.0)])
async def test_nobody_calls_before_the_permitted_instant_and_nothing_is_lost(
    tmp_path: Path, most: int, per: float
) -> None:
    async with engine(tmp_path, MAIN.replace("MOST", "1")) as bench:
        limiter = Limiter(bench.clock.now, most, per)
        await through(bench, limiter, 3 * most + 60)

        assert len(set(limiter.taken)) == len(limiter.taken) == 3 * most + 60
        assert limiter.early == 0
        assert limiter.refused <= 3 + 60 // most // 10  # it learns how fast it may go on


async def test_many_at_once_run_into_the_limit_once_and_then_come_one_by_one(tmp_path: Path) -> None:
    async with engine(tmp_path, MAIN.replace("MOST", "32")) as bench:
        limiter = Limiter(bench.clock.now, 10, 5.0)
        await through(bench, limiter, 120)

        assert len(set(limiter.taken)) == len(limiter.taken) == 120
        assert limiter.early <= 32 - 10 - 1  # what was under way when the first was refused
        assert await bench.audit("dead") == []


async def test_a_service_that_names_no_time_is_left_alone_for_a_second(tmp_path: Path) -> None:
    times: list[datetime] = []

    async with engine(tmp_path, MAIN.replace("MOST", "4")) as bench:

        def busy(_message: Message, _context: Context) -> Receipt:
            times.append(bench.clock.now())
            raise Retryable(FailureReason.RATE_LIMITED)

        bench.answers["people"] += [busy] * 3
        await bench.post(firing())
        await bench.pass_time(seconds=8, step=0.1)

        assert len(times) == 3
        assert min(later - earlier for earlier, later in pairwise(times)) >= timedelta(seconds=1)
        assert bench.told() == ["people opened"]


async def test_a_time_to_wait_that_nobody_waits_is_announced_and_capped_at_an_hour(tmp_path: Path) -> None:
    def forever(_message: Message, _context: Context) -> Receipt:
        raise Retryable(FailureReason.RATE_LIMITED, retry_after=1e9)

    async with engine(tmp_path, MAIN.replace("MOST", "4")) as bench:
        bench.answers["people"] += [forever]
        await bench.post(firing())

        assert bench.told() == ["pager notice"]
        await bench.pass_time(minutes=59, step=30)
        assert bench.told() == ["pager notice"]
        await bench.pass_time(minutes=2, step=30)
        assert bench.told() == ["pager notice", "people opened", "pager notice"]


async def test_a_service_that_was_down_is_not_run_over_when_it_is_back(tmp_path: Path) -> None:
    """The probe goes alone, and after it each success lets one more go at a time."""
    under_way: list[int] = []

    async with engine(tmp_path, MAIN.replace("MOST", "32")) as bench:
        bench.answers["people"] += [_refuse] * 32
        for one in range(64):
            await bench.accept(firing(f"Alert{one}"))
        await bench.settle()
        bench.clock.turn(seconds=6)
        while await bench.sender.step(bench.clock.now()):
            under_way.append(bench.sender._lanes["people"].in_flight)
            await bench.sender.idle()

        assert [number for number in under_way if number][:5] == [1, 2, 4, 8, 16]


def _refuse(_message: Message, _context: Context) -> Receipt:
    raise Refused(FailureReason.UNAUTHORIZED, "invalid_auth")


async def test_a_service_that_comes_and_goes_is_not_announced_at_each_turn(tmp_path: Path) -> None:
    turn = [False]

    def moody(_message: Message, _context: Context) -> Receipt:
        turn[0] = not turn[0]
        if turn[0]:
            raise Refused(FailureReason.UNAUTHORIZED, "invalid_auth")
        return Receipt()

    async with engine(tmp_path, MAIN.replace("MOST", "1")) as bench:
        bench.answers["people"] += [moody] * 1000
        for one in range(60):
            await bench.accept(firing(f"Alert{one}"))
        await bench.pass_time(minutes=8, step=1)

        assert bench.told().count("people opened") == 60
        assert bench.told().count("pager notice") <= 6  # and not at each of sixty refusals


async def test_channels_that_hang_leave_room_for_those_that_do_not(tmp_path: Path) -> None:
    names = [f"slow{number}" for number in range(10)]
    text = "max_in_flight: 40\nchannels:\n" + "".join(f"  {name}: {{type: console}}\n" for name in [*names, "quick"])
    text += f"receivers: {{all: [{', '.join([*names, 'quick'])}]}}\nroute: {{receiver: all}}\n"

    async with engine(tmp_path, text) as bench:
        for one in range(40):
            await bench.accept(firing(f"Alert{one}"))
        started = await bench.sender.step(bench.clock.now())
        lanes = {name: lane.in_flight for name, lane in bench.sender._lanes.items()}

        assert started <= 40 + len(lanes)
        assert all(1 <= number <= 32 for number in lanes.values())
        assert lanes["quick"] >= 1  # the last in line, behind ten that took what they could
        await bench.sender.idle()
        await bench.settle()
        assert len(bench.sent) == 40 * 11


def test_what_a_service_bore_while_its_pause_would_have_lasted_is_the_pace_to_come() -> None:
    taken = [START + timedelta(seconds=second) for second in range(10)]

    pace = Pace().after_pause(START + timedelta(seconds=10), 50, taken)

    assert pace.spacing(START + timedelta(minutes=1)) == pytest.approx(1.1 * 60 / 10)
    assert pace.spacing(START + timedelta(minutes=11)) == pytest.approx(1.1 * 60 / 20)
    assert pace.spacing(START + timedelta(hours=5)) == 0.0


def test_answers_to_what_was_under_way_teach_no_other_pace() -> None:
    pace = Pace().after_pause(START, 2, [START])
    later = pace.after_pause(START + timedelta(seconds=1), 2, [START])

    assert later.spacing(START) == pace.spacing(START)
    assert not later.allows(START + timedelta(seconds=2.9))


def test_a_breaker_that_opens_again_soon_wants_more_successes() -> None:
    breaker = CLOSED.failed(START, refused=True).succeeded(START).failed(START + timedelta(minutes=1), refused=True)

    once = breaker.succeeded(START + timedelta(minutes=2))
    assert once.open
    assert once.allows(START + timedelta(minutes=2))  # the next may follow at once
    assert not once.succeeded(START + timedelta(minutes=2)).open
    late = once.succeeded(START + timedelta(minutes=2)).failed(START + timedelta(minutes=13), refused=True)
    assert not late.succeeded(START + timedelta(minutes=14)).open
