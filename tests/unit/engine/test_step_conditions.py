"""Steps that are taken only if something holds, that wait for a time interval, that do something, or come too late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.act import Via
from tests.bridge_bench import START, Bench, engine, firing, resolved

MINUTE = timedelta(minutes=1)


def config(*steps: str, more: str = "") -> str:
    return f"""
fallback: desk
channels:
  people: {{type: console}}
  pager: {{type: console}}
  boss: {{type: console}}
  desk: {{type: console}}
  restart: {{type: webhook, url: "http://127.0.0.1:9/"}}
time_intervals:
  - {{name: office, time_intervals: [{{times: [{{start_time: "14:00", end_time: "15:00"}}]}}]}}
{more}
escalations:
  night: [{", ".join(steps)}]
route: {{receiver: people, group_by: [alertname], hooks: [dedupe, {{escalate: night}}]}}
"""


OFFICE = config("{after: 5m, notify: [pager], if: {time_intervals: office}}", "{after: 10m, notify: [boss]}")


async def details(bench: Bench, kind: str) -> list[tuple[str, str]]:
    """(reason, detail) of the records of a kind."""
    rows = await bench.database.read(lambda tx: tx.all("audit_since", 0, kind, kind, "", "", 100_000))
    return [(str(row[10]), str(row[12])) for row in rows]


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bench]:
    """It is noon; the office opens at two."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgres" else ""
    async with engine(tmp_path, OFFICE, url=url) as bench:
        yield bench


async def the_incident(bench: Bench) -> str:
    return (await bench.operator.incidents()).incidents[0].id


async def test_a_step_waits_until_its_time_interval_begins_and_others_do_not_wait_for_it(office: Bench) -> None:
    await office.post(firing())
    await office.pass_time(minutes=119, step=60)
    assert office.told() == ["people opened", "boss escalated"]
    assert await details(office, "held") == [("time_interval", "night step 1: pager")]
    assert [one.what for one in (await office.operator.incident(await the_incident(office))).pending] == ["window"]
    await office.pass_time(minutes=1, step=60)
    assert office.told() == ["people opened", "boss escalated", "pager escalated"]


async def test_within_the_time_interval_a_step_does_not_wait(office: Bench) -> None:
    office.clock.turn(hours=2)
    await office.post(firing())
    await office.pass_time(minutes=5, step=60)
    assert office.told() == ["people opened", "pager escalated"]


async def test_what_is_over_before_the_time_interval_begins_is_told_to_nobody(office: Bench) -> None:
    await office.post(firing())
    await office.pass_time(minutes=6, step=60)
    await office.post(resolved(end=office.clock.now()))
    await office.pass_time(minutes=180, step=600)
    assert office.told() == ["people opened", "people resolved"]


async def test_who_has_an_incident_while_the_time_interval_begins_keeps_the_step_waiting(office: Bench) -> None:
    await office.post(firing())
    await office.pass_time(minutes=6, step=60)
    incident = await the_incident(office)
    await office.operator.acknowledge(incident, "alice", office.clock.now())
    await office.pass_time(minutes=120, step=60)
    assert "pager escalated" not in office.told()
    await office.operator.unacknowledge(incident, "alice", office.clock.now())
    await office.settle()
    assert office.told()[-1] == "pager escalated"  # it is half past two: the step was due when the office opened


async def test_given_back_after_the_time_interval_the_step_waits_for_the_next_one(office: Bench) -> None:
    await office.post(firing())
    await office.pass_time(minutes=6, step=60)
    incident = await the_incident(office)
    await office.operator.acknowledge(incident, "alice", office.clock.now())
    await office.pass_time(minutes=240, step=60)
    await office.operator.unacknowledge(incident, "alice", office.clock.now())
    await office.pass_time(hours=21, step=600)
    assert "pager escalated" not in office.told()
    await office.pass_time(hours=1, step=600)
    assert "pager escalated" in office.told()


async def test_whoever_escalates_by_hand_does_not_wait_for_the_time_interval(office: Bench) -> None:
    await office.post(firing())
    await office.pass_time(minutes=12, step=60)
    await office.operator.escalate(await the_incident(office), "alice", office.clock.now(), Via.CLI)
    await office.pass_time(hours=3, step=600)
    assert office.told() == ["people opened", "boss escalated", "pager escalated"]


async def test_an_interval_that_a_reload_took_away_holds_nobody_off(tmp_path: Path) -> None:
    async with engine(tmp_path, OFFICE) as bench:
        await bench.post(firing())
        bench.transactions.swap(bench.configure(config("{after: 5m, notify: [boss]}"), tmp_path))
        gone = bench.transactions.generation()
        assert set(gone.intervals) == {"office"}
        text = config("{after: 5m, notify: [boss]}").replace("name: office", "name: other")
        bench.transactions.swap(bench.configure(text, tmp_path))
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people opened", "pager escalated"]


async def test_a_step_for_some_labels_is_taken_if_an_alert_that_fires_has_them(tmp_path: Path) -> None:
    text = config("{after: 5m, notify: [pager], if: {matchers: ['severity=\"critical\"', 'team!=\"web\"']}}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing("Calm", severity="warning"), firing("Calm", severity="critical", team="web"))
        await bench.post(firing("Hot", severity="warning"), firing("Hot", severity="critical"))
        await bench.post(firing("Over", severity="warning"), firing("Over", severity="critical"))
        await bench.post(resolved("Over", severity="critical", end=bench.clock.turn(seconds=1)))
        await bench.pass_time(minutes=5, step=60)
        assert [one.group_labels["alertname"] for one in bench.sent if one.channel == "pager"] == ["Hot"]
        assert (
            await details(bench, "skipped")
            == [("labels", 'night step 1: pager (no alert that fires has severity="critical", team!="web")')] * 2
        )


async def test_a_step_for_many_alerts_counts_those_that_began_lately(tmp_path: Path) -> None:
    text = config(
        "{after: 5m, notify: [boss], if: {more_than: {alerts: 2, within: 10m}}, repeat: {every: 5m, times: 3}}"
    )
    async with engine(tmp_path, text) as bench:
        await bench.post(firing(host="a"), firing(host="b"))
        await bench.pass_time(minutes=5, step=60)
        assert "boss escalated" not in bench.told()
        assert await details(bench, "skipped") == [
            ("few_alerts", "night step 1: boss (no more than 2 alerts began within 10m)")
        ]
        detail = await bench.operator.incident(await the_incident(bench))
        assert [(one.kind, one.reason) for one in detail.timeline if one.kind == "skipped"] == [
            ("skipped", "few_alerts")
        ]
        assert [one.detail for one in detail.pending] == [
            "step 1, repeat 1 of 3: boss (more than 2 alerts began within 10m)"
        ]
        await bench.post(firing(host="c", at=bench.clock.now()))
        await bench.pass_time(minutes=5, step=60)  # three within ten minutes: looked at again by the repetition
        assert bench.told().count("boss escalated") == 1
        await bench.pass_time(minutes=5, step=60)  # one within ten minutes
        assert bench.told().count("boss escalated") == 1


async def test_a_step_runs_what_it_names(tmp_path: Path) -> None:
    async with engine(
        tmp_path, config("{after: 5m, run: restart}", "{after: 6m, notify: [boss], run: [restart]}")
    ) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=6, step=60)
        assert sorted(bench.told()) == ["boss escalated", "people opened", "restart escalated", "restart escalated"]
        assert [detail for _, detail in await details(bench, "escalated")] == [
            "night step 1: runs restart", "night step 2: boss; runs restart",
        ]  # fmt: skip


async def test_what_an_outage_made_overdue_is_taken_once_and_what_is_too_late_is_said_to_the_fallback(
    tmp_path: Path,
) -> None:
    text = config(
        "{after: 5m, notify: [pager], max_late: 1h}",
        "{after: 10m, notify: [boss], repeat: {every: 10m, times: 30}}",
    )
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        bench.clock.turn(hours=2)
        await bench.settle()
        assert bench.told() == ["people opened", "desk notice", "boss escalated"]
        assert (
            "Down: a step of its escalation was not taken: night step 1: pager. It was due 1h55m ago."
            in bench.sent[1].text
        )
        assert await details(bench, "skipped") == [("too_late", "night step 1: pager")]


async def test_an_interval_that_never_begins_is_said_to_the_fallback(tmp_path: Path) -> None:
    past = "- {name: past, time_intervals: [{years: ['2020']}]}"
    text = config("{after: 5m, notify: [pager], if: {time_intervals: [past]}}").replace(
        "time_intervals:\n", f"time_intervals:\n  {past}\n"
    )
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people opened", "desk notice"]
        assert await details(bench, "skipped") == [("never_open", "night step 1: pager")]


async def test_a_later_edit_does_not_change_the_steps_of_an_open_incident(tmp_path: Path) -> None:
    async with engine(
        tmp_path, config("{after: 5m, notify: [pager], if: {matchers: ['alertname=\"Down\"']}}")
    ) as bench:
        await bench.post(firing())
        bench.transactions.swap(bench.configure(config("{after: 1m, notify: [boss]}"), tmp_path))
        await bench.post(firing("New", at=START))
        await bench.pass_time(minutes=5, step=60)
        assert bench.told() == ["people opened", "people opened", "boss escalated", "pager escalated"]


async def test_a_silence_stops_a_step_that_waited_for_its_time_interval_and_its_end_lets_it_go_on(
    office: Bench,
) -> None:
    await office.post(firing())
    await office.silence("alertname=Down", start=START + 115 * MINUTE, end=START + 130 * MINUTE)
    await office.pass_time(minutes=129, step=60)
    assert office.told() == ["people opened", "boss escalated"]
    await office.pass_time(minutes=2, step=60)
    assert "pager escalated" in office.told()
