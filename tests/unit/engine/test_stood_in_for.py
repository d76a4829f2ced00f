"""Who is paged and takes no pages is stood in for: a page that nobody gets is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.engine.paging import Page
from tests.bridge_bench import Bench, engine, firing
from tests.unit.engine.test_calling import details

NOT_PAGED = "send_on: [opened, changed, reminder, resolved, notice]"
CONFIG = f"""
channels:
  people: {{type: console}}
  boss: {{type: console}}
  deaf: {{type: console, {NOT_PAGED}}}
  anna-chat: {{type: console, {NOT_PAGED}}}
  anna-sms: {{type: console}}
  ben-chat: {{type: console}}
people:
  anna: {{channels: {{chat: anna-chat}}}}
  ben: {{channels: {{chat: ben-chat}}}}
schedules:
  payments: {{layers: [{{people: [anna], start: 2026-03-01}}], fallback: boss}}
  both: {{layers: [{{people: [[anna, ben]], start: 2026-03-01}}], fallback: boss}}
receivers:
  team: [{{person: anna}}]
route: {{receiver: people, hooks: [dedupe, {{escalate: night}}]}}
fallback: people
"""


def config(notify: str) -> str:
    return f"{CONFIG}escalations:\n  night:\n    - {{after: 10m, notify: [{notify}]}}\n"


async def told_by_the_step(bench: Bench) -> list[tuple[str, str]]:
    """(channel, note) of what the step told."""
    await bench.post(firing())
    before = len(bench.sent)
    await bench.pass_time(minutes=10, step=60)
    assert bench.told()[before:] == [f"{one.channel} escalated" for one in bench.sent[before:]]
    return [(one.channel, one.note) for one in bench.sent[before:]]


async def test_who_is_on_call_and_takes_no_pages_is_stood_in_for_by_the_fallback_of_the_schedule(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, config("{on_call: payments}")) as bench:
        assert await told_by_the_step(bench) == [("boss", "No channel reaches payments.")]
        assert await details(bench, "rerouted") == [("unreachable", "on_call/payments: boss")]
        assert ("send_on", "escalated") in await details(bench, "suppressed")


async def test_a_person_who_takes_no_pages_is_stood_in_for_by_the_fallback_of_the_bridge(tmp_path: Path) -> None:
    async with engine(tmp_path, config("{person: anna}")) as bench:
        assert await told_by_the_step(bench) == [("people", "No channel reaches anna.")]
        assert await details(bench, "rerouted") == [("unreachable", "person/anna: people")]


async def test_a_later_rule_that_takes_pages_is_enough(tmp_path: Path) -> None:
    rules = "anna: {channels: {chat: anna-chat, sms: anna-sms}, rules: [{notify: chat}, {after: 5m, notify: sms}]}"
    text = config("{person: anna}").replace("anna: {channels: {chat: anna-chat}}", rules)
    async with engine(tmp_path, text) as bench:
        assert await told_by_the_step(bench) == []
        await bench.pass_time(minutes=5, step=60)
        assert bench.told()[1:] == ["anna-sms escalated"]
        assert await details(bench, "rerouted") == []


async def test_where_one_of_those_on_call_takes_pages_nobody_stands_in(tmp_path: Path) -> None:
    async with engine(tmp_path, config("{on_call: both}")) as bench:
        assert [channel for channel, _ in await told_by_the_step(bench)] == ["ben-chat"]
        assert await details(bench, "rerouted") == []


@pytest.mark.parametrize("fallback", ["deaf", "team"])
async def test_a_fallback_that_takes_no_pages_either_is_passed_over(tmp_path: Path, fallback: str) -> None:
    text = config("{on_call: payments}").replace("fallback: boss", f"fallback: {fallback}")
    text = text.replace("receiver: people", f"receiver: {fallback}").replace("\nfallback: people\n", "\n")
    text = text.replace("- {after", "- {after: 5m, notify: [boss]}\n    - {after")
    text = text.replace("hooks:", "routes: [{matchers: [alertname=Down], receiver: people}], hooks:")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened", "boss escalated", "people escalated"]
        assert await details(bench, "rerouted") == [("unreachable", "on_call/payments: people")]


async def test_where_nobody_at_all_takes_pages_the_fallback_of_the_bridge_hears_of_it(tmp_path: Path) -> None:
    text = config("{person: anna}").replace("people: {type: console}", f"people: {{type: console, {NOT_PAGED}}}")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=10, step=60)
        assert bench.told() == ["people opened", "people notice"]
        assert "Down: No channel reaches anna. Nobody is told instead: no channel takes it." in bench.sent[1].text
        assert await details(bench, "rerouted") == [("unreachable", "person/anna: nobody")]


async def test_a_page_by_hand_to_who_takes_none_comes_to_somebody(tmp_path: Path) -> None:
    text = config("boss").replace(NOT_PAGED, "send_on: [changed]")
    async with engine(tmp_path, text) as bench:
        await bench.operator.page(Page("help", receiver="anna"), "alice", bench.clock.now())
        await bench.settle()
        assert bench.told() == ["people opened"]
        assert bench.sent[0].note == "No channel reaches anna."


async def test_an_alert_of_which_a_person_wants_no_first_word_is_told_to_nobody_else(tmp_path: Path) -> None:
    text = config("boss").replace(NOT_PAGED, "send_on: [changed]").replace("receiver: people", "receiver: mixed")
    text = text.replace("receivers:\n", "receivers:\n  mixed: [boss, {person: anna}]\n")
    async with engine(tmp_path, text) as bench:
        await bench.post(firing())
        assert bench.told() == ["boss opened"]


async def test_who_calls_somebody_that_takes_no_pages_hears_who_is_told_instead(tmp_path: Path) -> None:
    async with engine(tmp_path, config("boss")) as bench:
        await bench.post(firing())
        incident = bench.sent[0].incident
        called = await bench.operator.add_responder(incident, "on_call/payments", "ben", bench.clock.now())
        assert called.note == "No channel reaches payments. boss is told instead."
        await bench.settle()
        assert bench.told()[1:] == ["boss escalated"]
        assigned = await bench.operator.assign(incident, "anna", "ben", bench.clock.now())
        assert assigned.note == "No channel reaches anna. It is theirs, but they were not told."
        assert assigned.incident.owner == "anna"
        await bench.settle()
        assert bench.told()[2:] == []
