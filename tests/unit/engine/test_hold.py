"""What is not urgent waits for the office: told once when it opens, dropped on record if it is over by then."""

from __future__ import annotations

from pathlib import Path

from tests.bridge_bench import engine, firing, resolved

HELD = """
channels:
  people: {type: console}
  pager: {type: console}
time_intervals:
  - {name: office, time_intervals: [{times: [{start_time: "14:00", end_time: "15:00"}]}]}
escalations:
  night: [{after: 10m, notify: [pager]}]
route:
  receiver: people
  group_by: [alertname]
  hooks: [dedupe, {hold: {until: office, severities: [warning]}}, {escalate: night}]
"""


async def test_it_is_told_once_when_the_office_opens_and_escalates_from_then(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="warning"))
        await bench.pass_time(minutes=60, step=600)
        await bench.post(firing(severity="warning", host="b"))
        await bench.pass_time(minutes=59, step=60)
        assert bench.told() == []
        await bench.pass_time(minutes=1, step=60)
        assert bench.told() == ["people opened"]
        assert len(bench.sent[0].alerts) == 2
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened", "pager escalated"]


async def test_what_is_over_before_is_told_to_nobody_and_that_is_on_record(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="warning"))
        await bench.pass_time(minutes=60, step=600)
        await bench.post(resolved(severity="warning", end=bench.clock.now()))
        await bench.pass_time(minutes=120, step=600)
        assert bench.told() == []
        assert [reason for kind, reason, _ in await bench.audit("suppressed")] == ["resolved_while_held"]


async def test_what_becomes_severe_is_told_then(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="warning"))
        await bench.pass_time(minutes=5, step=60)
        await bench.post(firing(severity="critical", host="b"))
        assert bench.told() == ["people opened"]
        assert len(bench.sent[0].alerts) == 2


async def test_what_is_severe_is_not_held_and_its_end_neither(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="critical"))
        await bench.post(resolved(severity="critical", end=bench.clock.turn(minutes=1)))
        assert bench.told() == ["people opened", "people resolved"]


async def test_who_acknowledges_what_is_held_hears_nothing_of_it_in_the_morning(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="warning"))
        incident = (await bench.operator.incidents()).incidents[0].id
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(minutes=180, step=600)
        assert bench.told() == []


async def test_what_is_held_is_still_held_after_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, HELD) as bench:
        await bench.post(firing(severity="warning"))
        clock = bench.clock
    async with engine(tmp_path, HELD, clock) as bench:
        await bench.pass_time(minutes=119, step=600)
        assert bench.told() == []
        await bench.pass_time(minutes=1, step=60)
        assert bench.told() == ["people opened"]
