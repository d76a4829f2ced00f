"""The numbers of a story, worked out by hand, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.engine.numbers_tally import Asked
from bridge.engine.numbers_views import Counted, Line, Report
from bridge.engine.reconfigured import adopt
from tests.bridge_bench import START, Bench, engine, firing, resolved

CONFIGURATION = """
reopen_within: 10m
channels:
  people: {type: console, send_on: [opened, changed, reminder, escalated, acknowledged, resolved]}
  pager: {type: console}
escalations:
  night: [{after: 20m, notify: [pager]}]
route:
  receiver: people
  hooks: [{escalate: night}]
  routes:
    - {name: web, matchers: ['team="web"'], receiver: people}
"""
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest) -> str:
    """Of a shared database; empty for one in a file."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else ""


async def numbers(bench: Bench, *, since: datetime = START, until: datetime | None = None, zone: str = "UTC") -> Report:
    asked = Asked(since, until or bench.clock.now() + timedelta(seconds=1), ZoneInfo(zone), zone, "team")
    steps = [step async for step in bench.operator.numbers(asked)]
    report = steps[-1]
    assert isinstance(report, Report)
    assert all(isinstance(step, Counted) for step in steps[:-1])
    return report


async def incident_of(bench: Bench, name: str) -> str:
    page = await bench.operator.incidents(query=f'alertname="{name}"', limit=1)
    return page.incidents[0].id


def times(line: Line) -> tuple[int, float | None, int, float | None]:
    return (
        line.time_to_acknowledge.count,
        line.time_to_acknowledge.mean,
        line.time_to_resolve.count,
        line.time_to_resolve.mean,
    )


async def a_day(bench: Bench) -> None:
    """From 12:00. Slow: acknowledged by alice after 30 minutes, told again as escalated before, over after 60. Quick: by bob after 10,
    over after 20. Gone: over after 5 minutes, acknowledged by nobody. Open: neither.
    """
    clock = bench.clock
    await bench.post(firing("Slow"))
    await bench.post(firing("Quick", team="web"))
    await bench.post(firing("Gone", team="web"))
    clock.turn(minutes=5)
    await bench.post(resolved("Gone", team="web", end=clock.now()))
    clock.turn(minutes=5)
    await bench.operator.acknowledge(await incident_of(bench, "Quick"), "bob", clock.now())
    await bench.pass_time(minutes=10, step=60)
    await bench.post(resolved("Quick", team="web", end=clock.now()))
    await bench.pass_time(minutes=10, step=60)
    await bench.operator.acknowledge(await incident_of(bench, "Slow"), "alice", clock.now())
    await bench.pass_time(minutes=30, step=60)
    await bench.post(resolved("Slow", end=clock.now()))
    await bench.post(firing("Open", at=clock.now()))


async def test_a_day_is_counted_as_by_hand(tmp_path: Path, url: str) -> None:
    async with engine(tmp_path, CONFIGURATION, url=url) as bench:
        await a_day(bench)
        report = await numbers(bench, zone="Asia/Kolkata")

        total = report.total
        assert (total.incidents, total.acknowledged, total.unacknowledged, total.waiting, total.untold) == (
            4,
            2,
            1,
            1,
            0,
        )
        assert times(total) == (2, (1800 + 600) / 2, 3, (300 + 1200 + 3600) / 3)
        assert total.time_to_acknowledge.median == pytest.approx(600, rel=0.02)
        assert total.time_to_acknowledge.p90 == pytest.approx(1800, rel=0.02)
        # Told once each as opened, Slow once more as escalated; that they are acknowledged or over pages nobody.
        assert total.pages == 5
        web, root = sorted(report.routes, key=lambda line: line.name != "web")
        assert (web.name, web.incidents, web.pages, *times(web)) == ("web", 2, 2, 1, 600, 2, 750)
        assert (root.incidents, root.pages, *times(root)) == (2, 3, 1, 1800, 1, 3600)
        assert [(line.name, line.incidents) for line in report.teams] == [("", 2), ("web", 2)]
        assert [(one.name, one.acknowledged, one.time_to_acknowledge.mean) for one in report.responders] == [
            ("alice", 1, 1800),
            ("bob", 1, 600),
        ]
        # 12:00 UTC is 17:30 in India, so that 12:20 is 17:50 and 13:00 is 18:30.
        assert [
            (one.name, one.kind, one.pages, one.incidents, one.hours[17], one.hours[18]) for one in report.people
        ] == [
            ("pager", "channel", 1, 1, 1, 0),
            ("people", "channel", 4, 4, 3, 1),
        ]
        assert {one.hour: (one.pages, one.incidents) for one in report.hours if one.pages} == {17: (4, 3), 18: (1, 1)}
        assert report.recorded_since == START


async def test_a_time_has_the_incidents_that_began_and_the_pages_that_went_in_it(tmp_path: Path, url: str) -> None:
    async with engine(tmp_path, CONFIGURATION, url=url) as bench:
        await a_day(bench)
        late = await numbers(bench, since=START + timedelta(minutes=10))
        assert (late.total.incidents, late.total.waiting, late.total.pages) == (1, 1, 2)
        early = await numbers(bench, until=START + timedelta(minutes=10))
        assert (early.total.incidents, early.total.acknowledged, early.total.pages) == (3, 2, 3)
        none = await numbers(bench, until=START + timedelta(days=2), since=START + timedelta(days=1))
        assert (none.total.incidents, none.total.pages, none.routes, none.people) == (0, 0, (), ())


async def test_one_that_fires_again_is_counted_again_from_then_on(tmp_path: Path, url: str) -> None:
    async with engine(tmp_path, CONFIGURATION, url=url) as bench:
        await bench.post(firing())
        incident = await incident_of(bench, "Down")
        bench.clock.turn(minutes=4)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.operator.resolve(incident, "alice", bench.clock.now())
        bench.clock.turn(hours=3)
        await bench.post(firing())
        bench.clock.turn(minutes=2)
        await bench.operator.snooze(incident, bench.clock.now() + timedelta(hours=1), "bob", bench.clock.now())
        await bench.operator.unacknowledge(incident, "bob", bench.clock.now())
        bench.clock.turn(minutes=2)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        bench.clock.turn(minutes=4)
        await bench.post(resolved(end=bench.clock.now()))

        total = (await numbers(bench)).total
        assert (total.incidents, total.reopened, total.acknowledged) == (2, 1, 2)
        assert times(total) == (2, (240 + 120) / 2, 2, (240 + 480) / 2)
        again = await numbers(bench, since=START + timedelta(hours=1))
        assert [(one.name, one.acknowledged) for one in again.responders] == [("bob", 1)]
        assert times(again.total) == (1, 120, 1, 480)


async def test_maintenance_does_not_count_against_people(tmp_path: Path, url: str) -> None:
    """Told: silenced for an hour, acknowledged 5 minutes after it was told. Untold: begun and over while silenced."""
    async with engine(tmp_path, CONFIGURATION, url=url) as bench:
        await bench.silence('alertname=~"Told|Untold"', end=START + timedelta(hours=1))
        await bench.post(firing("Told"))
        await bench.post(firing("Untold"))
        bench.clock.turn(minutes=30)
        await bench.post(resolved("Untold", end=bench.clock.now()))
        await bench.pass_time(minutes=35, step=60)
        told = bench.told()
        await bench.operator.acknowledge(await incident_of(bench, "Told"), "alice", bench.clock.now())
        await bench.pass_time(minutes=10, step=60)
        await bench.post(resolved("Told", end=bench.clock.now()))

        assert told == ["people opened"]
        report = await numbers(bench)
        assert (report.total.incidents, report.total.untold, report.total.acknowledged, report.total.unacknowledged) == (
            2, 1, 1, 0,
        )  # fmt: skip
        assert times(report.total) == (1, 300, 1, 900)
        assert (report.total.pages, report.hours[13].pages) == (1, 1)


async def test_one_acknowledged_before_anybody_was_told_is_not_measured(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.silence('alertname="Down"', end=START + timedelta(hours=1))
        await bench.post(firing())
        incident = await incident_of(bench, "Down")
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        await bench.pass_time(minutes=61, step=60)
        await bench.operator.unacknowledge(incident, "alice", bench.clock.now())
        await bench.settle()
        report = await numbers(bench)
        assert (report.total.acknowledged, *times(report.total)) == (1, 0, None, 0, None)
        assert [(one.name, one.acknowledged, one.time_to_acknowledge.count) for one in report.responders] == [
            ("alice", 1, 0)
        ]


async def test_pages_and_acknowledgements_of_a_time_before_are_no_part_of_it(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=21, step=60)
        await bench.operator.acknowledge(await incident_of(bench, "Down"), "alice", bench.clock.now())
        report = await numbers(bench, since=START + timedelta(minutes=10))
        assert (report.total.incidents, report.responders, report.total.pages) == (0, (), 1)


async def test_what_is_not_sent_pages_nobody(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:

        def fails(*_about: object) -> None:
            raise TimeoutError

        bench.answers["people"].extend([fails, fails])
        await bench.post(firing())
        assert (await numbers(bench)).total.pages == 0
        await bench.pass_time(minutes=5, step=5)
        assert (await numbers(bench)).total.pages == 1


async def test_what_was_over_within_its_group_wait_was_told_to_nobody(tmp_path: Path) -> None:
    waits = CONFIGURATION.replace("receiver: people\n  hooks", "receiver: people\n  group_wait: 30s\n  hooks")
    async with engine(tmp_path, waits) as bench:
        await bench.post(firing())
        bench.clock.turn(seconds=10)
        await bench.post(resolved(end=bench.clock.now()))
        await bench.pass_time(minutes=2, step=10)
        total = (await numbers(bench)).total
        assert (bench.told(), total.incidents, total.untold) == ([], 1, 1)


PEOPLE = """
channels:
  room: {type: console}
  anna-slack: {type: console}
  anna-sms: {type: console}
people:
  anna: {channels: {slack: anna-slack, sms: anna-sms}, rules: [{notify: slack}, {after: 5m, notify: sms}]}
escalations:
  night: [{after: 10m, notify: [{person: anna}]}]
route: {receiver: room, hooks: [{escalate: night}]}
"""


async def test_a_person_is_paged_on_whichever_channel(tmp_path: Path, url: str) -> None:
    async with engine(tmp_path, PEOPLE, url=url) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=16, step=30)
        assert bench.told() == ["room opened", "anna-slack escalated", "anna-sms escalated"]
        report = await numbers(bench)
        assert [(one.name, one.kind, one.pages, one.incidents) for one in report.people] == [
            ("room", "channel", 1, 1),
            ("anna", "person", 2, 1),
        ]
        assert report.total.pages == 3


async def test_the_metrics_say_how_long_it_took_by_route(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await a_day(bench)
        await bench.operator.resolve(await incident_of(bench, "Open"), "alice", bench.clock.now())
        value = bench.metrics.registry.get_sample_value

        def seconds(which: str, route: str) -> tuple[float | None, float | None]:
            name = f"alertbridge_time_to_{which}_seconds"
            return value(f"{name}_count", {"route": route}), value(f"{name}_sum", {"route": route})

        root = bench.transactions.generation().root.id
        assert (seconds("acknowledge", "web"), seconds("acknowledge", root)) == ((1, 600), (1, 1800))
        assert (seconds("resolve", "web"), seconds("resolve", root)) == ((2, 1500), (2, 3600))
        paged = {"route": root, "reason": "escalated"}
        assert value("alertbridge_notifications_total", paged) == 1
        assert value("alertbridge_pages_total", {"channel": "pager", "person": "", "reason": "escalated"}) == 1


async def test_each_page_counts_for_its_people_in_the_metrics(tmp_path: Path) -> None:
    async with engine(tmp_path, PEOPLE) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=11, step=30)
        labels = {"channel": "anna-slack", "person": "anna", "reason": "escalated"}
        assert bench.metrics.registry.get_sample_value("alertbridge_pages_total", labels) == 1
        await bench.silence('alertname="Other"', end=bench.clock.now() + timedelta(hours=1))
        await bench.post(firing("Other"))
        hidden = {"hook": "muting", "reason": "silenced"}
        assert bench.metrics.registry.get_sample_value("alertbridge_suppressed_total", hidden)


async def test_a_fire_drill_is_neither_an_incident_nor_a_page(tmp_path: Path) -> None:
    drilled = """
fallback: people
channels: {people: {type: console}}
time_intervals: [{name: noon, time_intervals: [{times: [{start_time: '12:30', end_time: '13:00'}]}]}]
route: {receiver: people}
drills: {page: {time_intervals: [noon]}}
"""
    async with engine(tmp_path, drilled) as bench:
        await adopt(bench.transactions, bench.clock.now())
        await bench.pass_time(minutes=31, step=30)
        assert bench.told() == ["people opened", "people resolved"]
        report = await numbers(bench)
        assert report.total.incidents == 0
        assert report.people == ()
        await bench.post(firing("Real", at=bench.clock.now()))
        assert (await numbers(bench)).total.incidents == 1
