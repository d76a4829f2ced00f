"""What people do with an incident together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.act import Via
from bridge.domain.errors import Conflict, NotFound
from tests.bridge_bench import MINIMAL, engine, firing, resolved
from tests.unit.engine.test_acknowledge import ESCALATING, the_incident


async def test_a_comment_is_kept_with_who_and_by_which_way(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.operator.comment(incident, "the disk is\nfull again", "alice", bench.clock.now(), Via.SLACK)
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        detail = await bench.operator.comment(incident, "it was the log", "bob", bench.clock.now())

        said = [(one.by, one.via, one.text) for one in detail.comments]
        assert said == [("alice", "slack", "the disk is\nfull again"), ("bob", "api", "it was the log")]
        entries = [(one.actor, one.detail) for one in detail.timeline if one.kind == "commented"]
        assert entries[0] == ("alice", r'{"via":"slack","text":"the disk is\nfull again"}')
        assert len(entries) == 2


async def test_the_same_words_twice_are_one_comment(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        incident, now = await the_incident(bench), bench.clock.now()
        for by in ("alice", "alice", "bob", "alice"):
            await bench.operator.comment(incident, "looking", by, now)
        detail = await bench.operator.comment(incident, "looking", "alice", now)

        assert detail.note == "you said so already"
        assert [one.by for one in detail.comments] == ["alice", "bob", "alice"]
        assert len(await bench.audit("commented")) == 3


async def test_whom_it_is_assigned_to_may_take_it_over(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident, now = await the_incident(bench), bench.clock.now()
        await bench.operator.acknowledge(incident, "alice", now)
        detail = await bench.operator.assign(incident, "bob", "alice", now)
        assert (detail.incident.owner, detail.incident.acknowledged_by) == ("bob", "alice")
        assert (await bench.operator.assign(incident, "bob", "alice", now)).note == "it is assigned to bob already"
        with pytest.raises(Conflict, match="acknowledged by alice"):
            await bench.operator.acknowledge(incident, "carol", now)

        taken = await bench.operator.acknowledge(incident, "bob", now)

        assert (taken.incident.acknowledged_by, taken.note) == ("bob", "")
        records = [(one.actor, one.detail) for one in taken.timeline if one.kind == "assigned"]
        assert records == [("alice", '{"via":"api","to":"bob"}')]
        await bench.pass_time(hours=1, step=300)
        assert bench.told() == ["people opened"]


async def test_what_is_over_is_assigned_to_nobody(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        detail = await bench.operator.assign(await the_incident(bench), "bob", "alice", bench.clock.now())

        assert (detail.incident.owner, detail.note) == (None, "the incident is resolved already; nothing to assign")


async def test_who_is_called_hears_of_it_now_and_of_its_end(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        bench.clock.turn(minutes=1)
        detail = await bench.operator.add_responder(incident, "pager", "alice", bench.clock.now(), Via.CLI)
        await bench.settle()

        assert [(one.who, one.by) for one in detail.responders] == [("pager", "alice")]
        assert bench.told() == ["people opened", "pager escalated"]
        assert bench.sent[-1].note == "alice asks for help."
        assert "alice has this, and more people are called." in bench.sent[-1].text
        assert "Nobody has acknowledged" not in bench.sent[-1].text
        again = await bench.operator.add_responder(incident, "pager", "bob", bench.clock.now())
        assert again.note == "pager was called already"
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        assert sorted(bench.told()[2:]) == ["pager resolved", "people resolved"]
        assert await bench.audit("escalated") == [("escalated", "responder", "")]


async def test_nobody_is_called_who_is_not_there_or_takes_no_calls_or_to_what_is_over(tmp_path: Path) -> None:
    text = MINIMAL.replace("pager: {type: console}", "pager: {type: console, send_on: [opened]}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        incident, now = await the_incident(bench), bench.clock.now()
        with pytest.raises(NotFound):
            await bench.operator.add_responder(incident, "nobody", "alice", now)
        refused = await bench.operator.add_responder(incident, "pager", "alice", now)
        assert refused.note == "no channel of pager takes escalations: see its send_on"
        await bench.operator.resolve(incident, "alice", now)
        over = await bench.operator.add_responder(incident, "people", "alice", now)
        assert over.note == "the incident is resolved already; nobody was called"
        await bench.settle()

        assert bench.told() == ["people opened", "people resolved"]


async def test_the_next_step_is_taken_at_once_and_the_others_keep_their_times(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.pass_time(minutes=2, step=60)
        detail = await bench.operator.escalate(incident, "alice", bench.clock.now(), Via.CLI)
        await bench.settle()

        assert bench.told() == ["people opened", "pager escalated"]
        assert bench.sent[-1].note == "alice escalated this."
        (entry,) = [one for one in detail.timeline if one.kind == "escalated"]
        assert (entry.actor, entry.reason, entry.detail) == (
            "alice", "night", '{"via":"cli","text":"night step 1: pager"}',
        )  # fmt: skip
        await bench.pass_time(minutes=12, seconds=59, step=60)
        assert len(bench.sent) == 2
        await bench.pass_time(seconds=1)
        assert sorted(bench.told()[2:]) == ["boss escalated", "pager escalated"]


async def test_a_step_never_taken_goes_before_one_that_repeats_until_none_is_left(tmp_path: Path) -> None:
    text = ESCALATING.replace("notify: [pager]}", "notify: [pager], repeat: {every: 1m, times: 1}}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        for _ in range(5):
            bench.clock.turn(seconds=1)
            assert (await bench.operator.escalate(incident, "alice", bench.clock.now())).note == ""
            await bench.settle()
        bench.clock.turn(seconds=1)
        last = await bench.operator.escalate(incident, "alice", bench.clock.now())

        assert last.note == "there is no step left to take"
        assert bench.told()[1] == "pager escalated"
        assert "boss escalated" in bench.told()[2:4]
        assert len(await bench.audit("escalated")) == 5


async def test_an_acknowledged_incident_is_escalated_and_stays_acknowledged(tmp_path: Path) -> None:
    text = ESCALATING.replace("notify: [pager]}", "notify: [pager], repeat: {every: 1m, times: 1}}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        bench.clock.turn(minutes=1)
        detail = await bench.operator.escalate(incident, "alice", bench.clock.now())
        assert detail.incident.state == "acknowledged"
        assert all(one.paused for one in detail.pending)
        await bench.pass_time(hours=1, step=300)
        assert bench.told() == ["people opened", "pager escalated"]


async def test_what_is_over_or_hidden_is_not_escalated_and_that_is_said(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        incident = await the_incident(bench)
        await bench.silence('alertname="Down"', end=bench.clock.now() + timedelta(hours=1))
        hidden = await bench.operator.escalate(incident, "alice", bench.clock.now())
        assert hidden.note == "all of it is silenced, inhibited or muted: nobody is told"
        assert [one.what for one in hidden.pending].count("step") == 2
        await bench.operator.resolve(incident, "alice", bench.clock.now())
        over = await bench.operator.escalate(incident, "alice", bench.clock.now())
        assert over.note == "the incident is resolved already; nothing to escalate"
        await bench.settle()

        assert bench.told() == ["people opened", "people resolved"]
