"""Replayed deliveries go behind news, a share of them at a time, and no more of them wait than are soon sent."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Permanent, Retryable
from bridge.engine import replay
from bridge.engine.lane import Lane
from bridge.engine.replay import Ask
from bridge.storage.deliveries import Live, Wanted
from tests.bridge_bench import START, Bench, engine, firing

ONE_AT_A_TIME = """
channels:
  people: {type: console, max_in_flight: 1}
route: {receiver: people}
"""


def live(number: int, *, replayed: bool = False, seconds: float = 0) -> Live:
    return Live(number, f"incident-{number}", "people", START + timedelta(seconds=seconds), replayed=replayed)


def refuse(message: Message, context: Context) -> Receipt | None:
    raise Permanent(FailureReason.CONTENT_REFUSED)


def busy(message: Message, context: Context) -> Receipt | None:
    raise Retryable(FailureReason.NETWORK)


async def dead(bench: Bench, number: int) -> None:
    """So many incidents, each with a dead letter."""
    bench.answers["people"] += [refuse] * (2 * number)
    for one in range(number):
        await bench.post(firing(f"Old{one}"))
    bench.clock.turn(seconds=1)


def test_news_goes_before_what_is_replayed_though_it_is_due_later() -> None:
    lane = Lane()
    for number in range(1, 6):
        lane.add(live(number, replayed=True))
    lane.add(live(9, seconds=5))

    assert [one.id for one in lane.take(START + timedelta(seconds=5), 3)] == [9, 1, 2]
    assert len(lane) == 3


def test_replayed_deliveries_hold_a_share_of_the_attempts_only() -> None:
    lane = Lane()
    for number in range(1, 51):
        lane.add(live(number, replayed=True))

    taken = lane.take(START, 32)
    assert len(taken) == 16
    assert lane.take(START, 16) == []
    assert lane.next_due() is None, "nothing may be taken before one of them is done, so nobody need look"

    lane.add(live(99))
    assert lane.next_due() == START
    assert [one.id for one in lane.take(START, 16)] == [99]
    lane.done(taken[0])
    assert [one.id for one in lane.take(START, 16)] == [17]
    assert lane.in_flight == 17


def test_a_replayed_delivery_that_is_not_due_is_not_news_either() -> None:
    lane = Lane()
    lane.add(live(1, replayed=True, seconds=2))
    lane.add(live(2, seconds=3))

    assert lane.next_due() == START + timedelta(seconds=2)
    assert lane.take(START, 32) == []


async def test_what_is_replayed_stays_behind_the_news_through_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, ONE_AT_A_TIME) as bench:
        await dead(bench, 3)
        await bench.operator.replay(Ask(Wanted()), "alice", bench.clock.now())
    async with engine(tmp_path, ONE_AT_A_TIME, bench.clock) as bench:
        bench.clock.turn(seconds=1)
        await bench.post(firing("News"))

        assert [message.group_labels["alertname"] for message in bench.sent] == ["News", "Old0", "Old1", "Old2"]


async def test_a_single_letter_that_is_retried_does_not_wait_behind_a_replay(tmp_path: Path) -> None:
    async with engine(tmp_path, ONE_AT_A_TIME) as bench:
        await dead(bench, 3)
        letters = (await bench.operator.deliveries(states=["dead"])).deliveries
        await bench.operator.replay(Ask(Wanted(incident=letters[2].incident)), "alice", bench.clock.now())
        await bench.operator.retry(letters[0].id, "alice", bench.clock.now())
        await bench.settle()

        assert [message.incident for message in bench.sent] == [letters[0].incident, letters[2].incident]


async def test_a_page_says_to_wait_while_enough_is_waiting_to_be_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "_WAITING_AT_ONCE", 2)
    monkeypatch.setattr(replay, "_UNIT", 1)
    async with engine(tmp_path, ONE_AT_A_TIME) as bench:
        await dead(bench, 5)
        now = bench.clock.now()
        first = await bench.operator.replay(Ask(Wanted(channel="people")), "alice", now)
        assert (first.looked, first.waiting, first.wait > 0) == (2, 2, True)
        assert first.next is not None

        again = await bench.operator.replay(Ask(Wanted(channel="people")), "alice", now, cursor=first.next)
        assert (again.looked, again.waiting, again.next) == (0, 2, first.next)
        dry = await bench.operator.replay(Ask(Wanted()), "alice", now, dry_run=True)
        assert (dry.looked, dry.next, dry.wait) == (3, None, 0.0)

        await bench.settle()
        rest = await bench.operator.replay(Ask(Wanted(channel="people")), "alice", now, cursor=first.next)
        assert rest.looked == 2


async def test_a_replayed_delivery_that_fails_for_the_moment_is_tried_again(tmp_path: Path) -> None:
    async with engine(tmp_path, ONE_AT_A_TIME) as bench:
        await dead(bench, 1)
        bench.answers["people"] += [busy]
        await bench.operator.replay(Ask(Wanted()), "alice", bench.clock.now())
        await bench.pass_time(seconds=3)

        assert bench.told() == ["people opened"]
