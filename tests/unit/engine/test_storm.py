"""Storms on both databases: people hear of too many incidents in digests, machines of each, and nothing ends in silence."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridge.channels.api import Message
from bridge.domain.message import Reason
from tests.bridge_bench import START, Bench, Dial, engine, firing, resolved

MAIN = """
sources: {default: {storm: {new_incidents: 5, per: 1m}}, calm: {}}
channels:
  people: {type: console}
  mail: {type: console}
  machine: {type: webhook, url: "http://machine.example.com/"}
  pager: {type: console}
  manager: {type: console}
  robot: {type: exec, command: [/bin/true]}
receivers: {all: [people, mail, machine]}
escalations:
  page:
    - {after: 5m, notify: [pager, robot]}
    - {after: 15m, notify: [manager], repeat: {every: 10m, times: 1}}
route:
  receiver: all
  hooks: [dedupe, escalate: page]
"""
PLAIN = MAIN.replace("  hooks: [dedupe, escalate: page]\n", "")
SQLITE_OR_POSTGRES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


class Weather:
    """An engine and what its channels were told. `again` starts it anew on the same database."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        self.clock = Dial()

    def open(self, text: str = PLAIN):
        return engine(self.folder, text, self.clock, self.url)


@pytest.fixture(params=SQLITE_OR_POSTGRES)
def weather(request: pytest.FixtureRequest, tmp_path: Path) -> Weather:
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    return Weather(tmp_path, url)


def heard(bench: Bench, channel: str) -> list[Message]:
    return [message for message in bench.sent if message.channel == channel]


def reasons(bench: Bench, channel: str) -> Counter[str]:
    return Counter(message.reason.value for message in heard(bench, channel))


def digests(bench: Bench, channel: str) -> list[str]:
    """What a channel was told of storms: reason and title."""
    found = [message for message in heard(bench, channel) if message.alerts[0].name == "AlertbridgeStorm"]
    return [f"{message.reason.value} {message.title}" for message in found]


async def flood(bench: Bench, first: int, last: int, *, source: str = "default", **labels: str) -> None:
    """Incidents by number, posted at once."""
    for number in range(first, last):
        await bench.accept(firing(f"Alert{number}", at=bench.clock.now(), source=source, **labels))
    await bench.settle()


async def calm(bench: Bench, first: int, last: int, at: datetime = START, **labels: str) -> None:
    """Their ends."""
    for number in range(first, last):
        await bench.accept(resolved(f"Alert{number}", at=at, end=bench.clock.now(), **labels))
    await bench.settle()


async def digest_of(bench: Bench, channel: str) -> str:
    """The incident that stands for the storm on a channel."""
    return next(message.incident for message in heard(bench, channel) if message.alerts[0].name == "AlertbridgeStorm")


async def test_as_many_as_allowed_are_told_one_by_one(weather: Weather) -> None:
    async with weather.open() as bench:
        for _minute in range(3):
            await flood(bench, 0, 0)
        await flood(bench, 0, 5)
        await bench.pass_time(minutes=3, step=30)
        await flood(bench, 5, 10)
        await flood(bench, 10, 30, source="calm")  # nothing is configured for this one

        assert reasons(bench, "people") == {"opened": 30}
        assert digests(bench, "people") == []


async def test_people_get_one_digest_at_once_and_machines_everything(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 200, severity="warning")

        assert reasons(bench, "machine") == {"opened": 200}
        assert digests(bench, "machine") == []
        for channel in ("people", "mail"):
            assert len(heard(bench, channel)) <= 6
            assert digests(bench, channel) == ["opened [STORM] Storm: 200 new incidents from default, 200 open"]
        told = heard(bench, "people")[-1].text
        assert "more than 5 came within 1m" in told
        assert "warning 200" in told
        assert "/api/v1/incidents?state=open" in told
        suppressed = [row for row in await bench.audit("suppressed") if row[1] == "storm"]
        queued = [row for row in await bench.audit("superseded") if row[1] == "storm"]
        assert len(suppressed) + len(queued) == 2 * 200  # each message that was not sent is on record


async def test_a_channel_hears_once_a_span_what_is_new(weather: Weather) -> None:
    async with weather.open() as bench:
        for minute in range(4):
            for second in range(0, 60, 10):
                await flood(bench, 100 * minute + second, 100 * minute + second + 8)
                await bench.pass_time(seconds=10, step=5)

        assert len(digests(bench, "people")) <= 5  # at once, and then each minute
        assert reasons(bench, "people")["opened"] <= 6
        assert reasons(bench, "machine") == {"opened": 4 * 6 * 8}


async def test_a_storm_ends_with_what_is_still_open_and_then_each_is_told_again(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 50)
        await calm(bench, 0, 20)
        await bench.pass_time(minutes=2, step=5)

        assert (
            digests(bench, "people")[-1] == "digest [STORM] Storm over: of 50 new incidents from default, 30 still open"
        )
        assert reasons(bench, "people")["resolved"] == 0
        assert reasons(bench, "machine") == {"opened": 50, "resolved": 20}

        before = len(heard(bench, "people"))
        await flood(bench, 1000, 1003)
        assert [message.alerts[0].name for message in heard(bench, "people")[before:]] == [
            "Alert1000",
            "Alert1001",
            "Alert1002",
        ]


async def test_ends_are_told_together_and_the_last_ends_the_storm(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 50)
        await bench.pass_time(minutes=5, step=10)
        for first in range(0, 50, 10):
            await calm(bench, first, first + 10)
            await bench.pass_time(minutes=20, step=30)

        told = digests(bench, "people")
        assert told[-1].startswith("resolved [RESOLVED] Storm past: all 50 incidents from default")
        assert len(told) <= 2 + 5
        assert reasons(bench, "people")["resolved"] == 1
        assert reasons(bench, "machine")["resolved"] == 50
        assert [row for row in await bench.audit("resolved") if row[1] == "storm"] != []
        digest = await bench.operator.incident(await digest_of(bench, "people"))
        assert digest.incident.state == "resolved"
        assert [alert.status for alert in digest.alerts] == ["resolved"]
        await bench.pass_time(hours=2, step=300)
        assert len(digests(bench, "people")) == len(told)  # nothing goes on by itself


async def test_who_was_told_singly_is_told_of_the_end_singly(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 4)  # before the storm
        await flood(bench, 100, 150)
        await calm(bench, 0, 4)

        ends = [message.alerts[0].name for message in heard(bench, "people") if message.reason is Reason.RESOLVED]
        assert ends == [f"Alert{number}" for number in range(4)]


async def test_who_was_told_singly_goes_on_being_told_so_though_others_were_not(weather: Weather) -> None:
    """The mail was slow: what it had not told yet when the storm began is in its digest."""
    async with weather.open(PLAIN.replace("  mail: {type: console}", "  mail: {type: console, rate: 0.001}")) as bench:
        await flood(bench, 0, 5)
        await flood(bench, 100, 150)
        await bench.post(firing("Alert3", at=bench.clock.now(), instance="another"))
        await calm(bench, 4, 5)

        told = [(message.reason.value, message.alerts[0].name) for message in heard(bench, "people")]
        assert ("changed", "Alert3") in told
        assert ("resolved", "Alert4") in told
        await bench.pass_time(minutes=40, step=60)
        assert "Alert4" not in [message.alerts[0].name for message in heard(bench, "mail")]


async def test_what_was_queued_before_the_storm_was_known_goes_into_the_digest(weather: Weather) -> None:
    async with weather.open() as bench:
        for number in range(30):
            await bench.accept(firing(f"Alert{number}"))
        await bench.settle()

        assert digests(bench, "people") == ["opened [STORM] Storm: 30 new incidents from default, 30 open"]
        assert len(heard(bench, "people")) == 1
        assert len([row for row in await bench.audit("superseded") if row[1] == "storm"]) == 2 * 5


async def test_a_change_or_a_reminder_of_one_of_many_is_told_in_the_digest(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 30)
        await bench.pass_time(minutes=4, step=10)
        before = len(heard(bench, "people"))
        await bench.post(firing("Alert3", at=bench.clock.now(), instance="another"))
        await bench.pass_time(minutes=2, step=10)

        assert [message.reason.value for message in heard(bench, "people")[before:]] == ["digest"]


async def test_what_gets_worse_is_told_at_the_next_look_even_if_somebody_acknowledged(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 30, severity="warning")
        await bench.operator.acknowledge(await digest_of(bench, "people"), "alice", bench.clock.now())
        await bench.pass_time(minutes=3, step=10)
        before = len(heard(bench, "people"))
        await bench.post(firing("Alert3", at=bench.clock.now(), severity="critical"))
        await bench.pass_time(minutes=2, step=10)

        told = heard(bench, "people")[before:]
        assert [message.severity for message in told] == ["critical"]


async def test_a_storm_that_was_resolved_by_hand_is_told_anew_if_it_goes_on(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 30)
        digest = await digest_of(bench, "people")
        await bench.operator.resolve(digest, "alice", bench.clock.now())
        await bench.pass_time(seconds=30, step=10)
        await flood(bench, 30, 60)
        await bench.pass_time(minutes=2, step=10)

        incidents = [
            message.incident for message in heard(bench, "people") if message.alerts[0].name == "AlertbridgeStorm"
        ]
        assert len(set(incidents)) == 2
        told = digests(bench, "people")
        assert told[0].startswith("opened")
        assert told[1].startswith("resolved")
        assert told[2].startswith("opened [STORM] Storm: 60 new incidents")


async def test_a_storm_survives_a_restart_wherever_it_comes(weather: Weather) -> None:
    async with weather.open() as bench:
        for number in range(30):
            await bench.accept(firing(f"Alert{number}"))  # begun, and nobody told yet
    async with weather.open() as bench:
        await bench.settle()
        assert digests(bench, "people") == ["opened [STORM] Storm: 30 new incidents from default, 30 open"]
        await flood(bench, 30, 60)
    async with weather.open() as bench:
        await bench.pass_time(minutes=2, step=10)
        assert digests(bench, "people") == [
            "digest [STORM] Storm: 60 new incidents from default, 60 open",
            "digest [STORM] Storm over: of 60 new incidents from default, 60 still open",
        ] or digests(bench, "people") == ["digest [STORM] Storm over: of 60 new incidents from default, 60 still open"]
    async with weather.open() as bench:
        await calm(bench, 0, 60)
        await bench.pass_time(minutes=11, step=10)
        assert [told.split(":")[0] for told in digests(bench, "people")] == ["resolved [RESOLVED] Storm past"]


async def test_without_storm_in_the_configuration_what_comes_next_is_told_singly(weather: Weather) -> None:
    async with weather.open() as bench:
        await flood(bench, 0, 30)
    async with weather.open(PLAIN.replace("storm: {new_incidents: 5, per: 1m}", "")) as bench:
        await flood(bench, 30, 50)
        assert reasons(bench, "people") == {"opened": 20}
        await bench.pass_time(minutes=2, step=10)
        assert [told.partition(":")[0] for told in digests(bench, "people")] == ["digest [STORM] Storm over"]


async def test_a_storm_that_comes_again_and_again_is_one(weather: Weather) -> None:
    async with weather.open(MAIN) as bench:
        for burst in range(10):
            await flood(bench, 100 * burst, 100 * burst + 20)
            await bench.pass_time(seconds=90, step=10)

        incidents = {
            message.incident for message in heard(bench, "people") if message.alerts[0].name == "AlertbridgeStorm"
        }
        assert len(incidents) == 1
        assert len(heard(bench, "people")) <= 2 + 15
        assert reasons(bench, "pager") == {"escalated": 1}


async def test_a_flood_of_ends_never_seen_firing_is_a_storm_too(weather: Weather) -> None:
    async with weather.open() as bench:
        await calm(bench, 0, 40, START - timedelta(hours=1))
        await bench.pass_time(minutes=12, step=10)

        assert reasons(bench, "machine") == {"resolved": 40}
        assert len(heard(bench, "people")) <= 3 + 5
        assert digests(bench, "people")[-1].startswith("resolved [RESOLVED] Storm past: all 35 incidents")


async def test_a_digest_that_cannot_be_told_is_announced_over_the_fallback(weather: Weather) -> None:
    from bridge.domain.errors import FailureReason, Permanent

    text = PLAIN.replace("  people: {type: console}", "  people: {type: console, fallback: manager}")

    def refuse(*_arguments: object) -> None:
        raise Permanent(FailureReason.CONTENT_REFUSED, "no")

    async with weather.open(text) as bench:
        bench.answers["people"] += [refuse] * 2
        for number in range(30):
            await bench.accept(firing(f"Alert{number}"))
        await bench.settle()

        assert [message.alerts[0].name for message in heard(bench, "manager")] == ["AlertbridgeStorm"]
