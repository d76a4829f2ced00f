"""People act on a storm: whom it calls, and what an acknowledgement covers."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from tests.bridge_bench import Bench
from tests.unit.engine.test_storm import MAIN, PLAIN, Weather, calm, digest_of, digests, flood, heard, reasons, weather

__all__ = ["weather"]


async def test_an_escalation_calls_once_for_all_and_machines_for_each(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        await bench.pass_time(minutes=14, step=10)
        assert [message.reason.value for message in heard(bench, "pager")] == ["escalated"]
        assert "40 new incidents" in heard(bench, "pager")[0].title
        assert reasons(bench, "robot") == {"escalated": 40}
        assert heard(bench, "manager") == []

        await bench.pass_time(minutes=13, step=10)

        assert reasons(bench, "pager") == {"escalated": 1}
        assert reasons(bench, "manager") == {"escalated": 2}  # the step, and its repetition
        assert len(await bench.audit("escalated")) == 3 * 40


async def test_acknowledging_the_digest_acknowledges_what_it_tells_of_and_no_more(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        await bench.pass_time(minutes=30, step=10)
        assert heard(bench, "pager") == heard(bench, "manager") == heard(bench, "robot") == []
        assert len([row for row in await bench.audit("acknowledged") if row[1] == "storm"]) >= 35

        await bench.pass_time(minutes=1)
        await flood(bench, 100, 110)  # a storm of its own: its steps are taken
        await bench.pass_time(minutes=6, step=10)

        assert reasons(bench, "pager") == {"escalated": 1}


async def test_what_is_opened_after_the_acknowledgement_calls_again(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        for more in range(40, 60, 10):
            await bench.pass_time(seconds=50, step=10)
            await flood(bench, more, more + 10)
        await bench.pass_time(minutes=3, seconds=30, step=10)
        assert reasons(bench, "pager") == {"escalated": 1}
        await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        await flood(bench, 60, 80)
        await bench.pass_time(minutes=14, step=10)

        assert reasons(bench, "pager") == {"escalated": 2}


async def test_in_a_storm_that_goes_on_what_comes_after_the_acknowledgement_calls_again(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        for number in range(0, 240, 10):
            await flood(bench, number, number + 10)
            await bench.pass_time(seconds=15, step=15)
            if number == 200:  # five minutes and a quarter
                assert reasons(bench, "pager") == {"escalated": 1}
                await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        await bench.pass_time(minutes=4, step=15)
        assert reasons(bench, "pager") == {"escalated": 1}

        await bench.pass_time(minutes=3, step=15)

        assert reasons(bench, "pager") == {"escalated": 2}
        assert {message.incident for message in heard(bench, "people")[5:]} == {await digest_of(bench, "people")}


async def test_an_acknowledged_storm_is_quiet_but_for_its_end(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 40)
        await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        before = len(heard(bench, "people"))
        for number in range(0, 40, 10):
            await bench.pass_time(minutes=12, step=30)
            await calm(bench, number, number + 10)
        await bench.pass_time(minutes=12, step=30)

        told = [message.title.partition(":")[0] for message in heard(bench, "people")[before:]]
        assert told == ["[STORM] Storm over", "[RESOLVED] Storm past"]


async def test_whoever_acknowledges_before_the_call_goes_out_is_in_time(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        await bench.pass_time(minutes=4, seconds=59, step=10)
        await bench.timekeeper.step(bench.clock.turn(seconds=2))  # the steps are taken, and nobody called yet
        await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        await bench.pass_time(minutes=30, step=10)

        assert heard(bench, "pager") == heard(bench, "manager") == []


async def test_a_digest_is_told_to_its_channel_alone(weather: Weather) -> None:
    """Also where a receiver bears the channel's name."""
    async with weather.open(PLAIN.replace("receivers: {all:", "receivers: {mail: [machine], all:")) as bench:
        await flood(bench, 0, 40)
        digest = await digest_of(bench, "mail")
        await bench.operator.acknowledge(digest, "alice", bench.clock.now())
        await bench.operator.unacknowledge(digest, "alice", bench.clock.now())
        await bench.settle()

        assert digests(bench, "machine") == []
        assert len(digests(bench, "mail")) == 2


async def test_an_acknowledgement_that_is_taken_back_is_taken_back_of_all(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        digest = await digest_of(bench, "people")
        await bench.operator.acknowledge(digest, "alice", bench.clock.now())
        await bench.pass_time(minutes=10, step=10)
        await bench.operator.unacknowledge(digest, "bob", bench.clock.now())
        await bench.pass_time(minutes=6, step=10)

        assert reasons(bench, "pager") == {"escalated": 1}
        assert reasons(bench, "machine").keys() == {"opened"}


async def states(bench: Bench) -> Counter[str]:
    return Counter(one.state for one in (await bench.operator.incidents(limit=1000)).incidents)


async def test_snoozing_the_digest_snoozes_what_it_tells_of_until_its_hour(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        covered = len((await bench.operator.incidents(limit=1000)).incidents)
        digest, now = await digest_of(bench, "people"), bench.clock.now()
        await bench.operator.snooze(digest, now + timedelta(minutes=30), "alice", now)
        assert (await states(bench))["snoozed"] >= 35
        await bench.operator.snooze(digest, now + timedelta(minutes=60), "alice", bench.clock.turn(seconds=1))
        await bench.pass_time(minutes=59, step=60)
        assert heard(bench, "pager") == heard(bench, "robot") == []
        assert (await states(bench))["snoozed"] >= 35

        await bench.pass_time(minutes=2, step=60)
        assert await states(bench) == {"open": covered}
        await bench.pass_time(minutes=6, step=60)
        assert reasons(bench, "pager") == {"escalated": 1}


async def test_what_a_snoozed_digest_covers_is_open_again_though_the_digest_was_resolved(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        await flood(bench, 0, 40)
        digest, now = await digest_of(bench, "people"), bench.clock.now()
        await bench.operator.snooze(digest, now + timedelta(minutes=30), "alice", now)
        await bench.operator.resolve(digest, "alice", bench.clock.turn(seconds=1))
        await bench.pass_time(minutes=31, step=60)

        assert (await states(bench))["snoozed"] == 0


async def test_who_was_told_of_each_hears_that_the_storm_was_acknowledged_and_given_back(weather: Weather) -> None:
    each = (
        'machine: {type: webhook, send_on: [opened, acknowledged, unacknowledged], url: "http://machine.example.com/"}'
    )
    config = PLAIN.replace('machine: {type: webhook, url: "http://machine.example.com/"}', each)
    async with weather.open(config) as bench:
        await flood(bench, 0, 40)
        digest = await digest_of(bench, "people")
        await bench.operator.acknowledge(digest, "alice", bench.clock.now())
        await bench.settle()
        covered = len([row for row in await bench.audit("acknowledged") if row[1] == "storm"])
        assert covered >= 35
        assert reasons(bench, "machine")["acknowledged"] == covered
        await bench.operator.unacknowledge(digest, "alice", bench.clock.now())
        await bench.settle()

        assert reasons(bench, "machine")["unacknowledged"] == covered
