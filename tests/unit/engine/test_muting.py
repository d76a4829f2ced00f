"""What is silenced, inhibited or muted is kept from people, and what they were told is told to its end all the same."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.domain.message import Message
from bridge.engine.reconfigured import adopt
from tests.bridge_bench import MINIMAL, START, Bench, Dial, engine, firing, resolved

TIMED = MINIMAL + "  group_by: [alertname]\n  group_wait: 30s\n  group_interval: 5m\n  repeat_interval: 2h\n"
RULES = """
inhibit_rules:
  - {source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [cluster]}
"""
NIGHTS = """
time_intervals:
  - {name: noon, time_intervals: [{times: [{start_time: '12:00', end_time: '12:30'}]}]}
channels:
  people: {type: console}
route:
  receiver: people
  routes:
    - {receiver: people, matchers: ['alertname=~".*"'], mute_time_intervals: [noon]}
"""
ESCALATING = """
channels:
  people: {type: console}
  pager: {type: console}
escalations:
  night: [{after: 5m, notify: [pager]}]
route:
  receiver: people
  hooks: [dedupe, {escalate: night}]
"""


def names(message: Message) -> list[str]:
    return [f"{alert.labels.get('instance', '')} {alert.status.value}" for alert in message.alerts]


async def silence(bench: Bench, matchers: str = "alertname=Down", *, end: datetime) -> str:
    return await bench.silence(matchers, end=end)


async def at(bench: Bench, **span: float) -> list[str]:
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=5)
    return bench.told()


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_a_silenced_alert_is_told_when_the_silence_is_over(tmp_path: Path, text: str) -> None:
    async with engine(tmp_path, text) as bench:
        await silence(bench, end=START + timedelta(hours=1))
        await bench.post(firing())
        assert await at(bench, minutes=59) == []
        assert ("suppressed", "silenced", "") in await bench.audit()
        assert await at(bench, hours=1, minutes=6) == ["people opened"]
        assert ("silence_expired", "ended", "") in await bench.audit()


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_what_people_were_told_before_a_silence_and_still_fires_after_it_is_told_again(
    tmp_path: Path, text: str
) -> None:
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await at(bench, minutes=1)
        await silence(bench, end=START + timedelta(minutes=30))
        for minute in range(2, 25, 6):
            await at(bench, minutes=minute)
            await bench.post(firing())
        assert await at(bench, minutes=29) == ["people opened"]
        assert await at(bench, minutes=36) == ["people opened", "people reminder"]


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_the_end_of_what_people_were_told_goes_through_a_silence(tmp_path: Path, text: str) -> None:
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="a"))
        await at(bench, minutes=1)
        await silence(bench, end=START + timedelta(minutes=30))
        await bench.post(firing(instance="a"))
        await at(bench, minutes=2)
        await bench.post(resolved(instance="a", end=bench.clock.now()))

        assert await at(bench, minutes=10) == ["people opened", "people resolved"]


async def test_a_silenced_alert_that_ends_is_told_to_nobody(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await silence(bench, end=START + timedelta(minutes=30))
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))

        assert await at(bench, hours=1) == []


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_a_message_leaves_out_what_is_silenced(tmp_path: Path, text: str) -> None:
    async with engine(tmp_path, text) as bench:
        await silence(bench, "instance=b", end=START + timedelta(minutes=30))
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        assert [names(message) for message in bench.sent] == [["a firing"]]
        assert await at(bench, minutes=36) == ["people opened", "people changed"]
        assert names(bench.sent[1]) == ["a firing", "b firing"]


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_what_was_hidden_from_its_beginning_to_its_end_is_in_no_message(tmp_path: Path, text: str) -> None:
    async with engine(tmp_path, text) as bench:
        await silence(bench, "instance=b", end=START + timedelta(minutes=30))
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        await bench.post(resolved(instance="b", end=bench.clock.now()))
        await bench.post(firing(instance="c", at=bench.clock.now()))
        await at(bench, minutes=40)
        assert [names(message) for message in bench.sent][:2] == [["a firing"], ["a firing", "c firing"]]


async def test_a_silence_stops_what_was_planned_before_it(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.accept(firing())
        await silence(bench, end=START + timedelta(minutes=30))
        assert await at(bench, minutes=29) == []
        assert ("superseded", "hidden", "people") in await bench.audit()
        assert len(await at(bench, minutes=31)) == 1
        assert names(bench.sent[0]) == [" firing"]


@pytest.mark.parametrize("text", [MINIMAL + RULES, TIMED + RULES], ids=["at once", "timed"])
async def test_a_target_is_told_once_its_source_is_over(tmp_path: Path, text: str) -> None:
    async with engine(tmp_path, text) as bench:
        await bench.post(firing("Cluster", severity="critical", cluster="x"))
        await bench.post(firing("Pod", severity="warning", cluster="x", instance="a"))
        await bench.post(firing("Pod", severity="warning", cluster="y", instance="b"))
        await at(bench, minutes=10)
        assert sorted(name for message in bench.sent for name in names(message)) == [" firing", "b firing"]
        await bench.post(resolved("Cluster", severity="critical", cluster="x", end=bench.clock.now()))
        await at(bench, minutes=20)
        assert ["a firing", "b firing"] in [names(message) for message in bench.sent]


async def test_an_alert_on_both_sides_of_a_rule_does_not_inhibit_itself_nor_its_like(tmp_path: Path) -> None:
    text = MINIMAL + "inhibit_rules: [{source_matchers: ['team=web'], target_matchers: ['team=web']}]\n"
    async with engine(tmp_path, text) as bench:
        await bench.post(firing("A", team="web"), group_labels={"alertname": "A"})
        await bench.post(firing("B", team="web"), group_labels={"alertname": "B"})

        assert bench.told() == ["people opened", "people opened"]


async def test_a_silenced_source_inhibits_all_the_same(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL + RULES) as bench:
        await silence(bench, "severity=critical", end=START + timedelta(hours=1))
        await bench.post(firing("Cluster", severity="critical"))
        await bench.post(firing("Pod", severity="warning"))

        assert bench.told() == []


async def test_the_end_of_a_target_that_people_were_told_of_goes_through(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL + RULES) as bench:
        await bench.post(firing("Pod", severity="warning"))
        await bench.post(firing("Cluster", severity="critical"))
        bench.clock.turn(minutes=6)
        await bench.post(firing("Pod", severity="warning"))
        await bench.post(resolved("Pod", severity="warning", end=bench.clock.turn(minutes=1)))

        assert bench.told() == ["people opened", "people opened", "people resolved"]


async def test_rules_that_come_with_a_new_configuration_know_what_fires_already(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing("Cluster", severity="critical"))
        bench.transactions.swap(bench.configure(MINIMAL + RULES, tmp_path))
        await adopt(bench.transactions, bench.clock.now())
        await bench.post(firing("Pod", severity="warning"))
        assert bench.told() == ["people opened"]
        bench.transactions.swap(bench.configure(MINIMAL, tmp_path))
        await adopt(bench.transactions, bench.clock.now())
        await bench.settle()
        assert bench.told() == ["people opened", "people opened"]


async def test_inhibition_survives_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL + RULES) as bench:
        await bench.post(firing("Cluster", severity="critical"))
    async with engine(tmp_path, MINIMAL + RULES) as bench:
        await adopt(bench.transactions, bench.clock.now())
        await bench.post(firing("Pod", severity="warning"))
        assert bench.told() == []
        await bench.post(resolved("Cluster", severity="critical", end=bench.clock.turn(minutes=1)))
        assert bench.told() == ["people resolved", "people opened"]


async def test_a_muted_route_tells_at_the_end_of_the_mute_what_still_fires(tmp_path: Path) -> None:
    async with engine(tmp_path, NIGHTS, Dial(START - timedelta(minutes=1))) as bench:
        await bench.post(firing("Before", at=bench.clock.now()))
        await at(bench, minutes=1)
        await bench.post(firing("During"), group_labels={"alertname": "During"})
        await bench.post(firing("Over"), group_labels={"alertname": "Over"})
        bench.clock.turn(minutes=6)
        await bench.post(firing("Before"))
        await bench.post(resolved("Over", end=bench.clock.now()), group_labels={"alertname": "Over"})
        assert await at(bench, minutes=29) == ["people opened"]
        assert ("suppressed", "muted", "") in await bench.audit()
        assert sorted((await at(bench, minutes=31))[1:]) == ["people opened", "people reminder"]


async def test_the_end_of_what_people_were_told_goes_through_a_mute(tmp_path: Path) -> None:
    async with engine(tmp_path, NIGHTS, Dial(START - timedelta(minutes=1))) as bench:
        await bench.post(firing(at=bench.clock.now()))
        await at(bench, minutes=1)
        await bench.post(resolved(at=START - timedelta(minutes=1), end=bench.clock.now()))

        assert bench.told() == ["people opened", "people resolved"]


async def test_an_escalation_pauses_while_all_is_silenced_and_goes_on_with_what_was_left(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING) as bench:
        await bench.post(firing())
        await at(bench, minutes=2)
        await silence(bench, end=START + timedelta(minutes=30))
        assert await at(bench, minutes=29) == ["people opened"]
        assert [kind for kind, _reason, _channel in await bench.audit() if kind in {"paused", "resumed"}] == ["paused"]
        assert (await at(bench, minutes=32))[1:] == ["people reminder"]
        assert (await at(bench, minutes=34))[2:] == ["pager escalated"]


async def test_an_escalation_pauses_at_its_step_where_an_inhibition_hides_all(tmp_path: Path) -> None:
    async with engine(tmp_path, ESCALATING + RULES) as bench:
        await bench.post(firing("Pod", severity="warning"))
        await at(bench, minutes=2)
        await bench.post(firing("Cluster", severity="critical"), group_labels={"alertname": "Cluster"})
        assert (await at(bench, minutes=6))[1:] == ["people opened"]
        await bench.post(resolved("Cluster", severity="critical", end=bench.clock.now()))
        assert "pager escalated" in await at(bench, minutes=7)


async def test_an_escalation_whose_step_saw_one_alert_hidden_pauses_once_the_other_is_too(tmp_path: Path) -> None:
    inhibit = "inhibit_rules: [{source_matchers: [alertname=Cause], target_matchers: [instance=two]}]\n"
    text = ESCALATING.replace(
        "{after: 5m, notify: [pager]}", "{after: 5m, notify: [pager]}, {after: 15m, notify: [pager]}"
    )
    text = inhibit + text.replace("receiver: people\n", "receiver: people\n  group_by: [alertname]\n")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="one"), firing(instance="two"))
        incident = bench.sent[0].incident
        await bench.post(firing("Cause"))
        await bench.pass_time(minutes=5, step=60)
        assert bench.told()[2:] == ["pager escalated"] * 2
        await bench.operator.acknowledge(bench.sent[1].incident, "alice", bench.clock.now())
        await bench.pass_time(minutes=1, step=60)
        await silence(bench, "instance=one", end=bench.clock.now() + timedelta(minutes=20))
        await bench.settle()
        pending = (await bench.operator.incident(incident)).pending
        assert [(one.paused, one.left) for one in pending if one.what == "step"] == [(True, 540.0)]


async def test_a_silence_that_is_ended_early_announces_at_once_what_still_fires(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        made = await silence(bench, end=START + timedelta(hours=1))
        await bench.post(firing())
        bench.clock.turn(minutes=1)
        assert bench.silences is not None
        await bench.silences.expire(made, "bob", bench.clock.now())
        await bench.settle()

        assert bench.told() == ["people opened"]
        assert [kind for kind, _reason, _channel in await bench.audit() if "silence" in kind] == [
            "silence_created",
            "silence_expired",
        ]


async def test_a_silence_edited_to_last_longer_goes_on(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        made = await silence(bench, end=START + timedelta(minutes=10))
        await bench.post(firing())
        edited = await bench.silence("alertname=Down", start=START, end=START + timedelta(minutes=20), name=made)
        assert edited == made
        assert await at(bench, minutes=19) == []
        assert await at(bench, minutes=21) == ["people opened"]
        ends = [kind for kind, _reason, _channel in await bench.audit() if kind == "silence_expired"]
        assert ends == ["silence_expired"]


async def test_a_silence_that_begins_later_hides_from_then_on(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.silence("alertname=Down", start=START + timedelta(minutes=10), end=START + timedelta(minutes=20))
        await bench.post(firing())
        assert bench.told() == ["people opened"]
        await at(bench, minutes=16)
        await bench.post(firing())
        assert bench.told() == ["people opened"]
        assert await at(bench, minutes=21) == ["people opened", "people reminder"]


async def test_silences_survive_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await silence(bench, end=START + timedelta(minutes=10))
        await bench.post(firing())
        clock = bench.clock
    async with engine(tmp_path, clock=clock) as bench:
        await bench.post(firing("Other"), group_labels={"alertname": "Other"})
        assert bench.told() == ["people opened"]
        assert await at(bench, minutes=11) == ["people opened", "people opened"]


@pytest.mark.parametrize("text", [MINIMAL, TIMED], ids=["at once", "timed"])
async def test_what_was_told_before_a_silence_is_announced_at_its_end_though_nothing_happened_meanwhile(
    tmp_path: Path, text: str
) -> None:
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        await silence(bench, "instance=a", end=START + timedelta(minutes=30))
        assert await at(bench, minutes=29) == ["people opened"]
        assert await at(bench, minutes=36) == ["people opened", "people reminder"]
        assert names(bench.sent[1]) == ["a firing", "b firing"]


async def test_what_was_told_before_a_mute_is_announced_at_its_end_though_nothing_happened_meanwhile(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, NIGHTS, Dial(START - timedelta(minutes=1))) as bench:
        await bench.post(firing(at=bench.clock.now()))
        assert await at(bench, minutes=29) == ["people opened"]
        assert await at(bench, minutes=31) == ["people opened", "people reminder"]


async def test_what_ended_while_its_group_was_hidden_is_not_listed_when_it_opens(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await silence(bench, end=START + timedelta(minutes=30))
        await bench.settle()
        await bench.post(firing(instance="a"), firing(instance="b"))
        await bench.post(resolved(instance="b", end=bench.clock.turn(seconds=5)))
        await at(bench, minutes=36)
        assert [names(message) for message in bench.sent] == [["a firing"]]
        assert ("suppressed", "ended_untold", "") in await bench.audit()


async def test_what_flaps_inside_a_silence_that_ends_before_the_tick_is_announced(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=6)
        await silence(bench, "instance=a", end=START + timedelta(minutes=8))
        await at(bench, minutes=7)
        await bench.post(resolved(instance="a", end=bench.clock.now()))
        await bench.post(firing(instance="a", at=bench.clock.turn(seconds=10)))
        assert await at(bench, minutes=12) == ["people opened", "people reminder"]


async def test_a_silence_that_is_over_inside_group_wait_does_not_shorten_it(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        bench.clock.turn(seconds=5)
        await silence(bench, end=START + timedelta(seconds=15))
        assert await at(bench, seconds=25) == []
        assert await at(bench, seconds=30) == ["people opened"]
