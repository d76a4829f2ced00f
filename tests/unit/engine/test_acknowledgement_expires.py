"""What somebody has and does not end is given back."""

from __future__ import annotations

from pathlib import Path

from tests.bridge_bench import Dial, engine, firing, resolved
from tests.unit.engine.test_acknowledge import ESCALATING, the_incident

EXPIRING = f"acknowledgement: {{expires_after: 4h, remind_before: 15m}}\n{ESCALATING}"


async def test_those_who_were_told_are_reminded_then_it_is_open_again_and_escalates(tmp_path: Path) -> None:
    async with engine(tmp_path, EXPIRING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=6, step=60)
        incident = await the_incident(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(hours=3, minutes=44, step=600)
        assert bench.told() == ["people opened", "pager escalated"]

        await bench.pass_time(minutes=1)
        assert sorted(bench.told()[2:]) == ["pager reminder", "people reminder"]
        note = "The acknowledgement of alice expires in 15m: acknowledge again to keep it."
        assert {one.note for one in bench.sent[2:]} == {note}
        assert (await bench.operator.incident(incident)).incident.state == "acknowledged"

        await bench.pass_time(minutes=15, step=60)
        assert bench.told()[4:] == ["people reminder"]
        assert bench.sent[-1].note == "The acknowledgement of alice expired."
        assert await bench.audit("unacknowledged") == [("unacknowledged", "expired", "")]
        await bench.pass_time(minutes=9, step=60)
        assert sorted(bench.told()[5:]) == ["boss escalated", "pager escalated"]


async def test_who_acknowledges_again_keeps_it(tmp_path: Path) -> None:
    async with engine(tmp_path, EXPIRING) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(hours=3, minutes=50, step=600)
        detail = await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        assert detail.note == "you acknowledged it already; it holds until 2026-03-01 19:50 UTC"
        assert await bench.audit("acknowledged") == [("acknowledged", "", ""), ("acknowledged", "renewed", "")]
        assert [(one.what, one.why, one.detail) for one in detail.pending if not one.paused] == [
            ("acknowledgement", "reminds", "alice"),
            ("acknowledgement", "expires", "alice"),
        ]
        await bench.pass_time(hours=3, minutes=44, step=600)
        assert bench.told() == ["people opened", "people reminder"]

        await bench.pass_time(minutes=16, step=60)

        assert bench.told()[2:] == ["people reminder"] * 2
        assert len(await bench.audit("unacknowledged")) == 1


async def test_taken_back_snoozed_or_resolved_it_expires_no_more(tmp_path: Path) -> None:
    async with engine(tmp_path, EXPIRING.replace(", {escalate: night}", "")) as bench:
        for name in ("A", "B", "C"):
            await bench.post(firing(name))
            incident, now = await the_incident(bench), bench.clock.turn(seconds=1)
            await bench.operator.acknowledge(incident, "alice", now)
            if name == "A":
                await bench.operator.unacknowledge(incident, "alice", now)
            elif name == "B":
                await bench.operator.snooze(incident, now.replace(hour=23), "alice", now)
            else:
                await bench.post(resolved(name, end=bench.clock.turn(seconds=1)))
            await bench.settle()
        before = len(bench.sent)
        await bench.pass_time(hours=8, step=600)

        assert len(bench.sent) == before
        assert [reason for _kind, reason, _channel in await bench.audit("unacknowledged")] == [""]


async def test_by_default_it_holds(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        await bench.pass_time(hours=48, step=3600)

        assert bench.told() == ["people opened"]


async def test_what_expired_while_the_bridge_was_down_expires_once_and_nobody_is_reminded_in_vain(
    tmp_path: Path,
) -> None:
    clock = Dial()
    async with engine(tmp_path, EXPIRING, clock) as bench:
        await bench.post(firing())
        await bench.operator.acknowledge(await the_incident(bench), "alice", clock.now())
    clock.turn(hours=30)
    async with engine(tmp_path, EXPIRING, clock) as bench:
        await bench.settle()

        assert bench.told() == ["people reminder"]
        assert bench.sent[0].note == "The acknowledgement of alice expired."
        assert await bench.audit("superseded") == []


async def test_a_channel_that_is_gone_is_not_reminded(tmp_path: Path) -> None:
    async with engine(tmp_path, EXPIRING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=6, step=60)
        await bench.operator.acknowledge(await the_incident(bench), "alice", bench.clock.now())
        without = EXPIRING.replace("  pager: {type: console}\n", "").replace("pager", "boss")
        bench.transactions.swap(bench.configure(without, tmp_path))
        await bench.pass_time(hours=3, minutes=46, step=600)

        assert bench.told()[2:] == ["people reminder"]
        assert (await bench.operator.deliveries(states=["parked"])).deliveries == ()
