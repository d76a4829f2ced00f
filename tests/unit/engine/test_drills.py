"""A fire drill goes the whole way to people, marked as a test, and is judged: delivered in time, acknowledged if asked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import Conflict, FailureReason, NotFound, Permanent
from bridge.engine.drill_book import DrillBook, DrillResult
from bridge.engine.reconfigured import adopt
from tests.bridge_bench import START, Bench, Dial, engine

HEAD = """
fallback: desk
channels:
  people: {type: console}
  pager: {type: console}
  desk: {type: console}
receivers: {crew: [people, pager]}
time_intervals: [{name: noon, time_intervals: [{times: [{start_time: '12:30', end_time: '13:00'}]}]}]
route:
  receiver: people
  routes: [{matchers: ['team="infra"'], receiver: crew}]
"""
ROUTED = HEAD + "drills: {page: {time_intervals: [noon], labels: {team: infra}, severity: critical}}\n"
NAMED = HEAD + "drills: {page: {time_intervals: [noon], to: pager}}\n"
ANSWERED = HEAD + "drills: {page: {time_intervals: [noon], to: pager, acknowledge: 10m, notice: people}}\n"
TOLD = ["pager opened", "people opened", "pager resolved", "people resolved"]


async def begin(bench: Bench) -> None:
    await adopt(bench.transactions, bench.clock.now())
    await bench.settle()


async def at(bench: Bench, **span: float) -> list[str]:
    """What was told by then."""
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=30)
    return bench.told()


async def results(bench: Bench) -> list[DrillResult]:
    """How they went, the first first."""
    [found] = (await DrillBook(bench.transactions).every()).drills
    return list(reversed(found.results))


async def outcomes(bench: Bench) -> list[str]:
    return [result.outcome for result in await results(bench)]


def refuse(_message: Message, _context: Context) -> Receipt | None:
    raise Permanent(FailureReason.DESTINATION_GONE, "no such channel")


async def test_at_the_beginning_of_its_window_a_test_is_sent_by_its_route_and_passes(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await begin(bench)
        assert await at(bench, minutes=29.5) == []
        assert sorted(await at(bench, minutes=31)) == sorted(TOLD)
        [alert] = bench.sent[0].alerts
        assert alert.labels == {
            "alertname": "TEST fire drill page", "drill": "page", "severity": "critical", "team": "infra"
        }  # fmt: skip
        assert alert.annotations["summary"] == "TEST: this is a fire drill, nothing is wrong."
        assert await results(bench) == [DrillResult(START + timedelta(minutes=30), "passed", 0)]
        assert await bench.audit("drilled") == [("drilled", "passed", "")]

        assert len(await at(bench, hours=24)) == 4, "once a window"
        assert len(await at(bench, hours=24.6)) == 8
        assert await outcomes(bench) == ["passed", "passed"]


async def test_a_drill_for_somebody_goes_there_whatever_the_routes_say(tmp_path: Path) -> None:
    async with engine(tmp_path, NAMED) as bench:
        await begin(bench)
        assert await at(bench, minutes=31) == ["pager opened", "pager resolved"]


async def test_one_that_does_not_arrive_has_failed_and_somebody_hears_of_it(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        bench.answers["pager"].extend([refuse] * 100)
        await begin(bench)
        await at(bench, minutes=34.5)
        assert await outcomes(bench) == []
        await at(bench, minutes=35.5)
        [result] = await results(bench)
        assert (result.outcome, result.delivered_ms) == ("failed", None)
        assert result.detail == "not delivered within 5m: pager"
        assert await bench.audit("drilled") == [("drilled", "failed", "")]
        notices = [message for message in bench.sent if message.reason.value == "notice"]
        assert (
            "the fire drill page failed: not delivered within 5m: pager" in notices[-1].alerts[0].annotations["summary"]
        )
        assert notices[-1].channel == "desk"


async def test_one_that_a_silence_hides_has_failed(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await begin(bench)
        await bench.silence('team="infra"', end=START + timedelta(hours=2))
        assert await at(bench, minutes=36) == ["desk notice"]
        [result] = await results(bench)
        assert result.detail.startswith("nobody was told within 5m")


async def test_one_that_asks_for_it_passes_when_somebody_acknowledges(tmp_path: Path) -> None:
    async with engine(tmp_path, ANSWERED) as bench:
        await begin(bench)
        assert await at(bench, minutes=36) == ["pager opened"]
        assert "Acknowledge it within 10m." in bench.sent[0].alerts[0].annotations["summary"]
        await bench.operator.acknowledge(bench.sent[0].incident, "alice", bench.clock.now())
        await at(bench, minutes=37)
        assert await results(bench) == [DrillResult(START + timedelta(minutes=30), "passed", 0, 360_000)]


async def test_one_that_nobody_acknowledges_has_failed(tmp_path: Path) -> None:
    async with engine(tmp_path, ANSWERED) as bench:
        await begin(bench)
        assert await at(bench, minutes=41) == ["pager opened", "people notice", "pager resolved"]
        [result] = await results(bench)
        assert (result.outcome, result.delivered_ms, result.detail) == (
            "failed", 0, "nobody acknowledged it within 10m"
        )  # fmt: skip


async def test_a_restart_in_the_middle_judges_it_all_the_same(tmp_path: Path) -> None:
    clock = Dial()
    async with engine(tmp_path, ANSWERED, clock) as bench:
        await begin(bench)
        await at(bench, minutes=30)
        incident = bench.sent[0].incident
    clock.turn(minutes=5)
    async with engine(tmp_path, ANSWERED, clock) as bench:
        await begin(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await at(bench, minutes=36)
        assert await outcomes(bench) == ["passed"]


@pytest.mark.parametrize(("back", "expected"), [(50, ["passed"]), (70, ["missed"])])
async def test_one_whose_window_passed_while_no_bridge_was_there_is_missed_and_told(
    tmp_path: Path, back: int, expected: list[str]
) -> None:
    clock = Dial()
    async with engine(tmp_path, NAMED, clock) as bench:
        await begin(bench)
    clock.turn(minutes=back)
    async with engine(tmp_path, NAMED, clock) as bench:
        await begin(bench)
        await at(bench, minutes=back + 1)
        assert await outcomes(bench) == expected
        assert ("desk notice" in bench.told()) == (expected == ["missed"])
        await at(bench, hours=24.6)
        assert await outcomes(bench) == [*expected, "passed"]


async def test_one_can_be_held_by_hand_and_not_twice_at_once(tmp_path: Path) -> None:
    async with engine(tmp_path, ANSWERED) as bench:
        await begin(bench)
        book = DrillBook(bench.transactions)
        view = await book.hold("page", "alice", bench.clock.now())
        assert view.running_since == START
        with pytest.raises(Conflict):
            await book.hold("page", "bob", bench.clock.now())
        with pytest.raises(NotFound):
            await book.hold("none", "bob", bench.clock.now())
        await at(bench, minutes=11)
        assert await outcomes(bench) == ["failed"]
        await at(bench, minutes=42)
        assert await outcomes(bench) == ["failed", "failed"], "its window is held all the same"


async def test_one_that_is_gone_from_the_configuration_ends(tmp_path: Path) -> None:
    async with engine(tmp_path, ANSWERED) as bench:
        await begin(bench)
        await at(bench, minutes=31)
        bench.transactions.swap(bench.configure(HEAD, tmp_path))
        await begin(bench)
        assert bench.told() == ["pager opened", "pager resolved"]
        assert bench.sent[1].alerts[0].labels["drill"] == "page"
        assert len(await at(bench, hours=25)) == 2
