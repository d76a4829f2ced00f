"""A snooze is an acknowledgement that ends by itself."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.act import Via
from bridge.domain.errors import Conflict, FailureReason, Retryable
from tests.bridge_bench import MINIMAL, Bench, Dial, engine, firing, resolved
from tests.unit.engine.test_acknowledge import ESCALATING, the_incident
from tests.unit.engine.test_outcomes import fails

HALF_AN_HOUR = timedelta(minutes=30)


async def snoozed(bench: Bench, span: timedelta = HALF_AN_HOUR, by: str = "alice") -> str:
    incident = await the_incident(bench)
    detail = await bench.operator.snooze(incident, bench.clock.now() + span, by, bench.clock.now(), Via.CLI)
    assert (detail.incident.state, detail.note) == ("snoozed", "")
    return incident


async def test_nothing_is_told_until_it_is_over_then_a_reminder_and_the_steps_go_on(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=2, step=60)
        incident = await snoozed(bench)
        await bench.pass_time(minutes=29, seconds=59, step=300)
        assert bench.told() == ["people opened"]

        await bench.pass_time(seconds=1)

        assert bench.told() == ["people opened", "people reminder"]
        assert bench.sent[-1].note == "alice had snoozed this until now."
        summary = (await bench.operator.incident(incident)).incident
        assert (summary.state, summary.acknowledged_by, summary.snoozed_until) == ("open", None, None)
        await bench.pass_time(minutes=2, seconds=59, step=60)
        assert len(bench.sent) == 2
        await bench.pass_time(seconds=1)
        assert bench.told()[2:] == ["pager escalated"]


async def test_what_was_queued_is_cancelled(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        bench.answers["people"] += [fails(Retryable(FailureReason.NETWORK))]
        await bench.post(firing())
        await snoozed(bench)
        await bench.pass_time(minutes=20, step=60)

        assert bench.told() == []
        assert await bench.audit("cancelled") == [("cancelled", "snoozed", "people")]

        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened"]


async def test_who_snoozed_until_when_and_by_which_way_is_on_record(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        entries = (await bench.operator.incident(incident)).timeline
        (entry,) = [one for one in entries if one.kind == "snoozed"]
        assert (entry.actor, entry.detail) == ("alice", '{"via":"cli","until":"2026-03-01T12:30:00Z"}')

        await bench.pass_time(minutes=30, step=600)

        assert await bench.audit("unacknowledged") == [("unacknowledged", "snooze_over", "")]


async def test_a_resolve_meanwhile_ends_it_for_good(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        await bench.pass_time(hours=2, step=600)

        assert bench.told() == ["people opened", "people resolved"]
        detail = await bench.operator.incident(incident)
        assert (detail.incident.state, detail.pending) == ("resolved", ())


async def test_an_incident_resolved_by_hand_stays_so(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        detail = await bench.operator.resolve(incident, "bob", bench.clock.now())
        assert (detail.incident.snoozed_until, detail.pending) == (None, ())
        await bench.pass_time(hours=2, step=600)

        assert bench.told() == ["people opened", "people resolved"]


async def test_snoozing_what_is_over_changes_nothing_and_says_so(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        now = bench.clock.now()
        detail = await bench.operator.snooze(await the_incident(bench), now + HALF_AN_HOUR, "alice", now)

        assert detail.incident.state == "resolved"
        assert detail.note == "the incident is resolved already; nothing to snooze"
        assert await bench.audit("snoozed") == []


async def test_the_first_wins_and_may_change_the_end(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        now = bench.clock.now()
        for act in (
            bench.operator.acknowledge(incident, "bob", now),
            bench.operator.snooze(incident, now + HALF_AN_HOUR * 2, "bob", now),
        ):
            with pytest.raises(Conflict, match="snoozed by alice already") as refused:
                await act
            assert refused.value.by == "alice"
        again = await bench.operator.snooze(incident, now + HALF_AN_HOUR, "alice", now)
        assert again.note == "you snoozed it until then already"

        await snoozed(bench, HALF_AN_HOUR * 2)
        await bench.pass_time(minutes=59, step=60)
        assert bench.told() == ["people opened"]
        await bench.pass_time(minutes=1, step=60)
        assert bench.told() == ["people opened", "people reminder"]
        assert len(await bench.audit("unacknowledged")) == 1


async def test_acknowledged_by_who_snoozed_it_has_no_end(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        detail = await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        assert (detail.incident.state, detail.incident.snoozed_until) == ("acknowledged", None)
        await bench.pass_time(hours=2, step=600)

        assert bench.told() == ["people opened"]


async def test_taken_back_it_goes_on_at_once(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await snoozed(bench)
        detail = await bench.operator.unacknowledge(incident, "bob", bench.clock.now())
        assert {one.what for one in detail.pending} == {"step"}
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people opened", "people reminder", "pager escalated"]
        await bench.pass_time(minutes=9, step=60)
        assert len(bench.sent) == 3


async def test_what_joins_stays_quiet_unless_it_gets_worse(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing(instance="a", severity="warning"))
        await snoozed(bench)
        bench.clock.turn(minutes=1)
        await bench.post(firing(instance="b", severity="warning", at=bench.clock.now()))
        assert bench.told() == ["people opened"]
        await bench.post(firing(instance="c", severity="critical", at=bench.clock.now()))

        assert bench.told() == ["people opened", "people changed"]


async def test_reminders_do_not_come(tmp_path: Path) -> None:
    async with engine(tmp_path, f"{MINIMAL}  repeat_interval: 5m\n") as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people opened", "people reminder"]
        await snoozed(bench)
        await bench.pass_time(minutes=29, step=60)
        assert len(bench.sent) == 2
        await bench.pass_time(minutes=6, step=60)
        assert bench.told()[2:] == ["people reminder"] * 2


async def test_one_that_ended_while_the_bridge_was_down_ends_once(tmp_path: Path) -> None:
    clock = Dial()
    async with engine(tmp_path, ESCALATING, clock) as bench:
        await bench.post(firing())
        await snoozed(bench)
    clock.turn(hours=3)
    async with engine(tmp_path, ESCALATING, clock) as bench:
        await bench.settle()
        assert bench.told() == ["people reminder"]
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people reminder", "pager escalated"]


async def test_the_end_is_among_what_is_to_come(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        pending = (await bench.operator.incident(await snoozed(bench))).pending

        assert [(one.what, one.why) for one in pending if not one.paused] == [("snooze", "alice")]
        assert [one.left for one in pending if one.paused] == [300.0, 900.0]
