"""Somebody is paged by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.domain.act import Via
from bridge.domain.errors import NotFound
from bridge.engine.paging import Page
from bridge.engine.views import IncidentDetail
from tests.bridge_bench import Bench, engine, firing
from tests.unit.engine.test_hooks_in_the_engine import PLUGIN

ROUTED = """
channels:
  people: {type: console}
  pager: {type: console}
  boss: {type: console}
  web: {type: console}
receivers:
  night-shift: [pager, boss]
escalations:
  night:
    - {after: 5m, notify: [pager]}
time_intervals:
  - name: never
    time_intervals: [{years: ["1999"]}]
inhibit_rules:
  - {source_matchers: ['alertname="Down"'], target_matchers: ['team="web"']}
route:
  receiver: people
  group_by: [alertname]
  group_wait: 1m
  group_interval: 5m
  hooks: [dedupe, {escalate: night}]
  routes:
    - {receiver: web, matchers: ['team="web"'], active_time_intervals: [never]}
"""


async def page(bench: Bench, title: str = "the shop is down", **fields: object) -> IncidentDetail:
    asked = Page(title, **fields)  # type: ignore[arg-type]
    detail = await bench.operator.page(asked, "alice", bench.clock.now(), Via.CLI)
    await bench.settle()
    return detail


async def test_a_page_is_told_at_once_escalated_acknowledged_and_resolved_like_any_incident(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        opened = await page(bench, text="nobody can pay", severity="critical")
        assert (opened.incident.source, opened.incident.state, opened.incident.severity) == (
            "manual",
            "open",
            "critical",
        )
        assert bench.told() == ["people opened"]
        assert bench.sent[-1].title == "[FIRING:1] the shop is down (critical)"
        assert "nobody can pay (paged by alice)" in bench.sent[-1].text
        await bench.pass_time(minutes=5, step=60)
        assert bench.told()[1:] == ["pager escalated"]
        await bench.operator.acknowledge(opened.incident.id, "bob", bench.clock.now())
        await bench.pass_time(hours=2, step=600)

        over = await bench.operator.resolve(opened.incident.id, "bob", bench.clock.now())
        await bench.settle()

        assert (over.incident.state, over.incident.alerts.firing, over.incident.alerts.resolved) == ("resolved", 0, 1)
        assert sorted(bench.told()[2:]) == ["pager resolved", "people resolved"]
        assert [one.status for one in over.alerts] == ["resolved"]


async def test_who_paged_is_on_record(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        opened = await page(bench, receiver="pager")
        (entry,) = [one for one in opened.timeline if one.kind == "received"]
        assert (entry.actor, entry.detail) == ("alice", '{"via":"cli","to":"pager","text":"the shop is down"}')


async def test_the_receiver_named_is_told_whatever_the_labels_say(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        opened = await page(bench, receiver="night-shift", labels={"team": "web"})
        assert opened.incident.receiver == "night-shift"
        assert sorted(bench.told()) == ["boss opened", "pager opened"]
        await bench.operator.resolve(opened.incident.id, "bob", bench.clock.now())
        await bench.settle()
        assert sorted(bench.told()[2:]) == ["boss resolved", "pager resolved"]
        with pytest.raises(NotFound):
            await page(bench, receiver="nobody")


async def test_nothing_hides_a_page(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=1, step=60)
        sent = len(bench.sent)
        await bench.silence('team="web"', end=bench.clock.now() + timedelta(hours=1))
        await page(bench, labels={"team": "web"})
        assert bench.told()[sent:] == ["web opened"]
        await bench.silence('team="web",alertname="the shop is down"', end=bench.clock.now() + timedelta(hours=1))
        await bench.pass_time(minutes=5, step=60)
        assert "pager escalated" in bench.told()[sent:]
        assert await bench.audit("paused") == []


async def test_pages_of_one_name_are_incidents_of_their_own(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        first = await page(bench)
        await bench.operator.acknowledge(first.incident.id, "bob", bench.clock.now())
        second = await page(bench)

        assert first.incident.id != second.incident.id
        assert bench.told() == ["people opened"] * 2


async def test_the_same_key_is_the_same_page_until_it_is_over(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        first = await page(bench, key="4711")
        again = await page(bench, "in other words", key="4711")
        assert (again.incident.id, again.note) == (first.incident.id, "this was paged already")
        assert bench.told() == ["people opened"]
        bench.clock.turn(minutes=1)
        await bench.operator.resolve(first.incident.id, "bob", bench.clock.now())
        bench.clock.turn(minutes=1)
        anew = await page(bench, key="4711")

        assert anew.incident.id != first.incident.id
        assert bench.told() == ["people opened", "people resolved", "people opened"]


async def test_a_page_that_two_routes_take_is_over_in_each_by_itself(tmp_path: Path) -> None:
    text = ROUTED.replace(
        "active_time_intervals: [never]}", "continue: true}\n    - {receiver: boss, matchers: ['team=\"web\"']}"
    )
    async with engine(tmp_path, text) as bench:
        opened = await page(bench, labels={"team": "web"}, key="k")
        assert sorted(bench.told()) == ["boss opened", "web opened"]
        other = opened.note.removeprefix("its routes opened these as well: ")
        await bench.operator.resolve(opened.incident.id, "bob", bench.clock.now())
        await bench.settle()
        assert (await bench.operator.incident(other)).incident.state == "open"
        assert (await page(bench, key="k")).incident.id == other
        await bench.operator.resolve(other, "bob", bench.clock.now())
        await bench.settle()
        assert sorted(bench.told()[2:]) == ["boss resolved", "web resolved"]


async def test_a_hook_before_routing_may_add_to_a_page(tmp_path: Path) -> None:
    async with engine(tmp_path, "hooks: [{enrich: {labels: {team: web}}}]\n" + ROUTED) as bench:
        assert (await page(bench)).incident.receiver == "web"
        assert bench.told() == ["web opened"]


@pytest.mark.parametrize("labels", [{"noise": "yes"}, {}], ids=["drops", "holds"])
async def test_a_hook_before_routing_does_not_stop_a_page(tmp_path: Path, labels: dict[str, str]) -> None:
    text = f"plugins: ['{PLUGIN}']\nhooks: [hold_news]\n{ROUTED}"
    async with engine(tmp_path, text) as bench:
        await page(bench, labels=labels)
        assert bench.told() == ["people opened"]
