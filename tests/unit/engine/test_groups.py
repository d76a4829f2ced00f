"""When a group's people are told: after `group_wait`, every `group_interval`, again after `repeat_interval`."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from bridge.domain.alert import API, Alert
from bridge.domain.message import Message
from tests.bridge_bench import MINIMAL, START, Bench, engine, firing, resolved

TIMED = MINIMAL + "  group_by: [alertname]\n  group_wait: 30s\n  group_interval: 5m\n  repeat_interval: 20m\n"
REMINDING = MINIMAL + "  repeat_interval: 20m\n"


def names(message: Message) -> list[str]:
    return [f"{alert.labels.get('instance', '')} {alert.status.value}" for alert in message.alerts]


def over_api(name: str, at: datetime, *, until: datetime | None = None, **labels: str) -> Alert:
    """A report over API v2; without `until` it ends after five minutes unless it comes again."""
    alert = firing(name, at=at, source=API, **labels)
    return replace(alert, expires_at=until or at + timedelta(minutes=5), timeout=until is None)


def ended(name: str, at: datetime, end: datetime, **labels: str) -> Alert:
    return resolved(name, at=at, end=end, source=API, **labels)


async def at(bench: Bench, **span: float) -> list[str]:
    """What has been told when the clock shows this after the start."""
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=5)
    return bench.told()


async def test_a_groups_people_are_told_after_group_wait_of_everything_that_came_meanwhile(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"))
        assert await at(bench, seconds=25) == []
        await bench.post(firing(instance="a"), firing(instance="b"))
        assert await at(bench, seconds=30) == ["people opened"]
        assert names(bench.sent[0]) == ["a firing", "b firing"]


async def test_a_group_whose_alert_is_older_than_group_wait_is_told_at_once(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(at=START - timedelta(seconds=31)))

        assert bench.told() == ["people opened"]


async def test_a_group_whose_alert_turns_out_to_be_older_than_group_wait_waits_no_longer(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        lasts = START + timedelta(hours=1)
        await bench.post(over_api("Down", START, until=lasts))
        now = bench.clock.turn(seconds=5)
        await bench.post(over_api("Down", now - timedelta(seconds=20), until=lasts))
        assert bench.told() == []
        now = bench.clock.turn(seconds=5)
        await bench.post(over_api("Down", now - timedelta(seconds=31), until=lasts))

        assert bench.told() == ["people opened"]
        assert await at(bench, minutes=5) == ["people opened"]


async def test_what_joins_and_what_ends_is_told_at_the_next_tick(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"))
        await at(bench, minutes=2)
        await bench.post(firing(instance="b", at=bench.clock.now()))
        end = bench.clock.turn(minutes=1)
        await bench.post(resolved(instance="a", end=end))
        assert await at(bench, minutes=5, seconds=25) == ["people opened"]
        assert await at(bench, minutes=5, seconds=30) == ["people opened", "people changed"]
        assert names(bench.sent[1]) == ["b firing", "a resolved"]


async def test_an_alert_that_ends_and_fires_again_within_the_interval_is_no_news(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(over_api("Down", START, until=START + timedelta(hours=1)))
        await at(bench, minutes=1)
        await bench.post(ended("Down", START, bench.clock.now()))
        await bench.post(over_api("Down", bench.clock.turn(seconds=10), until=START + timedelta(hours=1)))

        assert await at(bench, minutes=12) == ["people opened"]
        assert len((await bench.operator.incidents()).incidents) == 1


async def test_an_alert_that_ends_inside_its_group_wait_is_told_to_nobody(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(seconds=10)))

        assert await at(bench, minutes=12) == []
        assert ("suppressed", "ended_untold", "") in await bench.audit()
        assert [incident.state for incident in (await bench.operator.incidents()).incidents] == ["resolved"]


async def test_an_end_before_the_first_tick_does_not_bring_it_forward(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await bench.post(resolved(instance="b", end=bench.clock.turn(seconds=10)))
        assert await at(bench, seconds=29) == []
        assert await at(bench, seconds=30) == ["people opened"]
        assert names(bench.sent[0]) == ["a firing", "b resolved"]


async def test_what_fires_again_inside_its_group_wait_is_told_at_the_first_tick(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(over_api("Down", START, until=START + timedelta(hours=1)))
        await bench.post(ended("Down", START, bench.clock.turn(seconds=10)))
        await bench.post(over_api("Down", bench.clock.turn(seconds=10), until=START + timedelta(hours=1)))
        assert await at(bench, seconds=30) == ["people opened"]


async def test_what_fires_and_ends_between_two_ticks_is_told_as_ended(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"))
        await at(bench, minutes=1)
        start = bench.clock.now()
        await bench.post(firing(instance="b", at=start))
        await bench.post(resolved(instance="b", at=start, end=bench.clock.turn(seconds=10)))
        assert await at(bench, minutes=6) == ["people opened", "people changed"]
        assert names(bench.sent[1]) == ["a firing", "b resolved"]
        assert await at(bench, minutes=18) == ["people opened", "people changed"]


async def test_the_end_of_a_group_is_told_at_the_tick_and_the_next_firing_opens_another(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        await at(bench, minutes=1)
        await bench.post(resolved(end=bench.clock.now()))
        assert await at(bench, minutes=5, seconds=30) == ["people opened", "people resolved"]
        await bench.post(firing(at=bench.clock.turn(minutes=1)))
        await at(bench, minutes=8)
        assert bench.told() == ["people opened", "people resolved", "people opened"]
        assert len({message.incident for message in bench.sent}) == 2


async def test_reminders_come_at_the_first_tick_after_repeat_interval(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        assert await at(bench, minutes=25, seconds=25) == ["people opened"]
        assert await at(bench, minutes=25, seconds=30) == ["people opened", "people reminder"]
        assert (await at(bench, minutes=52))[2:] == ["people reminder"]


async def test_there_are_no_reminders_while_somebody_has_acknowledged(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        await at(bench, minutes=1)
        incident = (await bench.operator.incidents()).incidents[0].id
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        assert await at(bench, hours=1) == ["people opened"]
        await bench.operator.unacknowledge(incident, "alice", bench.clock.now())
        await bench.settle()
        assert (await at(bench, hours=1, minutes=10))[1:] == ["people reminder"]
        assert (await at(bench, hours=1, minutes=26))[2:] == ["people reminder"]


async def test_a_route_for_webhooks_may_remind_by_itself(tmp_path: Path) -> None:
    async with engine(tmp_path, REMINDING) as bench:
        await bench.post(firing())
        assert await at(bench, minutes=19, seconds=55) == ["people opened"]
        assert await at(bench, minutes=20) == ["people opened", "people reminder"]
        assert (await at(bench, minutes=40))[2:] == ["people reminder"]


async def test_alerts_of_the_api_have_alertmanagers_timing_without_being_asked(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(over_api("Down", START, until=START + timedelta(days=1), instance="a"), group_labels={})
        assert await at(bench, seconds=25) == []
        assert await at(bench, seconds=30) == ["people opened"]
        await bench.post(
            over_api("Up", bench.clock.now(), until=START + timedelta(days=1), instance="b"), group_labels={}
        )
        assert await at(bench, minutes=5, seconds=25) == ["people opened"]
        assert await at(bench, minutes=5, seconds=30) == ["people opened", "people changed"]


async def test_a_report_of_the_api_that_comes_again_is_no_reminder(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        for minute in range(60):
            await bench.post(over_api("Down", START, until=bench.clock.now() + timedelta(minutes=4)))
            await at(bench, minutes=minute + 1)

        assert bench.told() == ["people opened"]


async def test_ticks_survive_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing(instance="a"))
        await at(bench, minutes=1)
        await bench.post(firing(instance="b", at=bench.clock.now()))
        clock = bench.clock
    async with engine(tmp_path, TIMED, clock) as bench:
        assert await at(bench, minutes=5, seconds=25) == []
        assert await at(bench, minutes=5, seconds=30) == ["people changed"]


async def test_what_an_outage_made_late_is_told_once(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        await bench.post(firing())
        bench.clock.turn(hours=3)
        await bench.settle()
        assert bench.told() == ["people opened"]
        assert await at(bench, hours=3, minutes=19) == ["people opened"]
        assert await at(bench, hours=3, minutes=25) == ["people opened", "people reminder"]


async def test_a_message_tried_again_before_the_tick_does_not_tell_what_waits_for_it(tmp_path: Path) -> None:
    from bridge.domain.errors import FailureReason, Retryable

    def fails(_message: object, _context: object) -> None:
        raise Retryable(FailureReason.NETWORK, "reset")

    async with engine(tmp_path, TIMED) as bench:
        bench.answers["people"].append(fails)
        await bench.post(firing(instance="a"))
        bench.clock.turn(seconds=30)
        await bench.settle()
        await bench.accept(firing(instance="b", at=bench.clock.now()))
        await at(bench, minutes=1)
        assert names(bench.sent[0]) == ["a firing"]
        await at(bench, minutes=6)
        assert names(bench.sent[1]) == ["a firing", "b firing"]


async def flapping(bench: Bench) -> datetime:
    """Of two alerts of a group one has ended, which was told; gives until when the alerts of this story last."""
    lasts = START + timedelta(hours=1)
    await bench.post(over_api("Down", START, until=lasts, instance="a"), group_labels={})
    await bench.post(over_api("Down", START, until=lasts, instance="b"), group_labels={})
    await at(bench, minutes=1)
    await bench.post(ended("Down", START, bench.clock.now(), instance="b"))
    await at(bench, minutes=6)
    assert names(bench.sent[-1]) == ["a firing", "b resolved"]
    return lasts


async def flaps(bench: Bench) -> None:
    start = bench.clock.now()
    await bench.post(over_api("Down", start, until=START + timedelta(hours=1), instance="b"))
    await bench.post(ended("Down", start, bench.clock.turn(seconds=5), instance="b"))


async def test_a_second_firing_that_ends_before_its_tick_is_no_news_after_the_word_of_the_first_end(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, TIMED) as bench:
        lasts = await flapping(bench)
        await flaps(bench)
        assert await at(bench, minutes=12) == ["people opened", "people changed"]
        await bench.post(over_api("Down", bench.clock.now(), until=lasts, instance="c"))
        await at(bench, minutes=18)
        assert names(bench.sent[-1]) == ["a firing", "c firing"]


async def test_a_second_firing_that_ends_before_its_tick_is_listed_if_there_is_other_news(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        lasts = await flapping(bench)
        await flaps(bench)
        await bench.post(over_api("Down", bench.clock.now(), until=lasts, instance="c"))
        await at(bench, minutes=12)
        assert names(bench.sent[-1]) == ["a firing", "c firing", "b resolved"]
        assert await at(bench, minutes=18) == ["people opened", "people changed", "people changed"]


async def test_a_second_firing_that_ends_before_its_tick_is_news_once_others_were_told_of_since(tmp_path: Path) -> None:
    async with engine(tmp_path, TIMED) as bench:
        lasts = await flapping(bench)
        await bench.post(over_api("Down", bench.clock.now(), until=lasts, instance="c"))
        await at(bench, minutes=11)
        assert names(bench.sent[-1]) == ["a firing", "c firing"]
        await flaps(bench)
        await at(bench, minutes=16)
        assert names(bench.sent[-1]) == ["a firing", "c firing", "b resolved"]
        assert await at(bench, minutes=20) == ["people opened", *["people changed"] * 3]


async def test_an_end_alone_is_no_word_to_a_channel_that_takes_none(tmp_path: Path) -> None:
    text = TIMED.replace("people: {type: console}", "people: {type: console, send_resolved: false}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        await bench.post(resolved(instance="b", end=bench.clock.now()))
        assert await at(bench, minutes=12) == ["people opened"]


async def test_an_end_that_nobody_was_told_of_and_a_new_firing_are_no_news(tmp_path: Path) -> None:
    text = TIMED.replace("people: {type: console}", "people: {type: console, send_resolved: false}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        await bench.post(resolved(instance="b", end=bench.clock.now()))
        await at(bench, minutes=7)
        await bench.post(firing(instance="b", at=bench.clock.now()))
        assert await at(bench, minutes=16) == ["people opened"]
        assert await at(bench, minutes=26) == ["people opened", "people reminder"]


async def test_reminders_come_to_all_channels_together_counted_from_the_last_word_to_any_of_them(
    tmp_path: Path,
) -> None:
    text = TIMED.replace("pager: {type: console}", "pager: {type: console, send_resolved: false}")
    text = text.replace("receiver: people", "receiver: both")
    async with engine(tmp_path, text + "receivers: {both: [people, pager]}\n") as bench:
        await bench.post(firing(instance="a"), firing(instance="b"))
        await at(bench, minutes=1)
        await bench.post(resolved(instance="b", end=bench.clock.now()))
        assert await at(bench, minutes=25, seconds=30) == ["people opened", "pager opened", "people changed"]
        assert (await at(bench, minutes=30, seconds=30))[3:] == ["people reminder", "pager reminder"]
