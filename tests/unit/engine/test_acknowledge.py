"""An acknowledgement stops the noise, and exactly the noise."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.errors import Conflict, FailureReason, NotFound, Retryable
from bridge.storage import timers
from tests.bridge_bench import Bench, engine, firing, resolved
from tests.unit.engine.test_outcomes import fails

ESCALATING = """
channels:
  people: {type: console}
  pager: {type: console}
  boss: {type: console}
escalations:
  night:
    - {after: 5m, notify: [pager]}
    - {after: 15m, notify: [boss, pager], repeat: {every: 10m, times: 2}}
route:
  receiver: people
  hooks: [dedupe, {escalate: night}]
"""


async def the_incident(bench: Bench) -> str:
    return (await bench.operator.incidents()).incidents[0].id


async def test_steps_are_taken_when_due_and_repeat(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=4, seconds=59, step=60)
        assert bench.told() == ["people opened"]

        await bench.pass_time(minutes=40, step=30)

        assert bench.told()[:2] == ["people opened", "pager escalated"]
        assert sorted(bench.told()[2:]) == ["boss escalated"] * 3 + ["pager escalated"] * 3


async def test_after_the_acknowledgement_no_step_is_taken_and_the_end_is_still_told(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=6, step=30)
        detail = await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        assert detail.incident.state == "acknowledged"
        assert detail.incident.acknowledged_by == "alice"
        await bench.pass_time(hours=1, step=120)
        assert bench.told() == ["people opened", "pager escalated"]

        await bench.post(resolved(end=bench.clock.now()))

        assert sorted(bench.told()[2:]) == ["pager resolved", "people resolved"]


async def test_a_resolve_stops_the_steps(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        await bench.pass_time(hours=1, step=120)

        assert bench.told() == ["people opened", "people resolved"]


async def test_steps_survive_a_restart_and_what_came_due_meanwhile_is_taken_once(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        clock = bench.clock
    clock.turn(hours=2)
    async with engine(tmp_path, ESCALATING, clock) as bench:
        await bench.settle()

        assert sorted(bench.told()) == ["boss escalated", "pager escalated"]


async def test_what_is_queued_is_cancelled_and_recorded(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        bench.answers["people"] += [fails(Retryable(FailureReason.NETWORK))] * 5
        await bench.post(firing())
        await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        await bench.pass_time(minutes=10, step=30)

        assert bench.told() == []
        assert [reason for _k, reason, _c in await bench.audit("cancelled")] == ["acknowledged"]


async def test_the_first_wins_and_the_second_is_told_who(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())

        with pytest.raises(Conflict) as refused:
            await bench.operator.acknowledge(incident, "bob", bench.clock.now())
        again = await bench.operator.acknowledge(incident, "alice", bench.clock.now())

        assert refused.value.by == "alice"
        assert "already" in again.note
        assert len(await bench.audit("acknowledged")) == 1


async def test_acknowledging_what_is_over_changes_nothing_and_says_so(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))

        detail = await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())

        assert detail.incident.state == "resolved"
        assert detail.note
        assert await bench.audit("acknowledged") == []
        with pytest.raises(NotFound):
            await bench.operator.acknowledge("nonesuch", "alice", bench.clock.now())


async def test_taking_it_back_goes_on_with_what_was_left_of_the_waits(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.pass_time(minutes=2, step=30)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(hours=3, step=600)
        await bench.operator.unacknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(minutes=2, seconds=59, step=30)
        assert bench.told() == ["people opened", "people reminder"]

        await bench.pass_time(seconds=2)

        assert bench.told()[2:] == ["pager escalated"]


async def test_new_alerts_of_an_acknowledged_incident_stay_quiet_unless_it_gets_worse(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing(instance="a", severity="warning"))
        await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        bench.clock.turn(minutes=1)
        await bench.post(firing(instance="b", severity="warning"))
        assert bench.told() == ["people opened"]

        await bench.post(firing(instance="c", severity="critical"))

        assert bench.told() == ["people opened", "people changed"]


async def test_reminders_stop_with_the_acknowledgement(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        bench.clock.turn(hours=4)
        await bench.post(firing())

        assert bench.told() == ["people opened"]


async def test_resolved_by_hand_repeats_stay_quiet_until_it_may_reopen(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.operator.resolve(await the_incident(bench), "alice", bench.clock.now())
        await bench.settle()
        bench.clock.turn(minutes=59)
        await bench.post(firing())
        assert bench.told() == ["people opened", "people resolved"]

        bench.clock.turn(minutes=1)
        await bench.post(firing())

        assert bench.told() == ["people opened", "people resolved", "people opened"]
        assert len(await bench.audit("reopened")) == 1


async def test_the_senders_end_after_a_resolve_by_hand_is_no_second_message(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.operator.resolve(await the_incident(bench), "alice", bench.clock.now())
        await bench.post(resolved(end=bench.clock.turn(minutes=5)))

        assert bench.told() == ["people opened", "people resolved"]


async def test_an_acknowledgement_and_a_due_step_exclude_each_other(tmp_path: Path) -> None:
    """Both at once, many times, in both orders: a page is never claimed after the acknowledgement committed."""
    async with engine(tmp_path, ESCALATING) as bench:
        for n in range(60):
            await bench.post(firing(f"Alert{n}", at=bench.clock.now()))
            incident = (await bench.operator.incidents(limit=1)).incidents[0].id
            bench.clock.turn(minutes=5)
            now = bench.clock.now()
            acting = [bench.operator.acknowledge(incident, "alice", now), bench.timekeeper.step(now)]
            await asyncio.gather(*(acting if n % 2 else reversed(acting)))
            await bench.settle()
            timeline = [entry.kind for entry in (await bench.operator.incident(incident)).timeline]
            acknowledged = timeline.index("acknowledged")
            assert "escalated" not in timeline[acknowledged:]
            assert "sent" not in timeline[acknowledged:]
            await bench.post(resolved(f"Alert{n}", at=bench.clock.now(), end=bench.clock.turn(seconds=1)))


async def test_a_dead_delivery_gets_a_new_life_by_hand_and_a_sent_one_does_not(tmp_path: Path) -> None:
    from bridge.domain.errors import Permanent

    async with engine(tmp_path) as bench:
        bench.answers["people"] += [fails(Permanent(FailureReason.CONTENT_REFUSED))] * 2
        await bench.post(firing())
        (dead,) = (await bench.operator.deliveries(states=["dead"])).deliveries
        await bench.operator.retry(dead.id, "alice", bench.clock.now())
        await bench.settle()

        assert bench.told() == ["people opened"]
        with pytest.raises(Conflict):
            await bench.operator.retry(dead.id, "alice", bench.clock.now())
        with pytest.raises(NotFound):
            await bench.operator.retry("99999", "alice", bench.clock.now())


async def test_the_end_by_hand_of_what_is_silenced_is_told_to_who_heard(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.silence('alertname="Down"', end=bench.clock.now() + timedelta(hours=1))
        await bench.operator.resolve(await the_incident(bench), "alice", bench.clock.now())
        await bench.settle()

        assert bench.told() == ["people opened", "people resolved"]


async def test_a_step_that_was_due_when_it_was_acknowledged_is_not_lost(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident, now = await the_incident(bench), bench.clock.turn(minutes=5)
        due = await bench.database.read(lambda tx: timers.due(tx, now, 10))
        assert [timer.kind for timer in due] == ["step"]
        acknowledging = bench.operator.acknowledge(incident, "alice", now)
        await asyncio.gather(bench.timekeeper.step(now), acknowledging)
        await bench.operator.unacknowledge(incident, "alice", bench.clock.turn(seconds=1))
        await bench.settle()

        assert "pager escalated" in bench.told()
