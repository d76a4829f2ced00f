"""A dry run says what then happens, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bridge.domain.alert import Alert
from bridge.domain.message import Reason
from bridge.engine.explaining import Explainer, Ground
from bridge.engine.explaining_ask import Ask, BadAsk
from bridge.engine.explaining_views import Called, Explained, ExplainedGroup, LaterRule
from bridge.routing.matchers import parse_matchers
from bridge.routing.silences import Silence, Silences
from bridge.storage import timers
from tests.bridge_bench import START, Bench, Dial, engine, firing, resolved

CONFIGURATION = """
channels:
  people: {type: console}
  chat: {type: console, title: "{{ common_labels.alertname }} for {{ channel }}", send_on: [opened, resolved]}
  pager: {type: console, send_on: [escalated]}
receivers:
  crew: [people, chat, pager]
escalations:
  night:
    - {after: 5m, notify: [pager]}
    - {after: 20m, notify: [crew], repeat: {every: 15m, times: 2}}
time_intervals:
  - {name: noon, time_intervals: [{times: [{start_time: '12:00', end_time: '12:30'}]}]}
inhibit_rules:
  - {name: cluster, source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [cluster]}
route:
  receiver: people
  group_by: [alertname]
  hooks: [dedupe, {escalate: night}]
  routes:
    - {name: db, matchers: ['team="db"'], receiver: crew, continue: true}
    - {name: slow, matchers: ['team=~"db|web"'], receiver: chat, group_wait: 30s, group_interval: 5m}
    - {name: quiet, matchers: ['team="quiet"'], receiver: people, mute_time_intervals: [noon]}
"""
TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"


def explainer(bench: Bench) -> Explainer:
    return Explainer(
        lambda: Ground(
            bench.transactions.generation(),
            bench.transactions.silences,
            bench.transactions,
            shifts=bench.transactions.on_call.shifts,
        )
    )


async def explained(bench: Bench, *alerts: Alert, at: str = "", source: str = "") -> Explained:
    """What would become of a webhook with these alerts, grouped as `Bench.post` groups them."""
    payload = {
        "version": "4", "receiver": "r", "status": "firing",
        "groupLabels": {"alertname": alerts[0].labels["alertname"]},
        "alerts": [
            {
                "status": alert.status.value, "labels": alert.labels, "annotations": alert.annotations,
                "startsAt": alert.starts_at.isoformat(), "endsAt": (alert.ends_at or START).isoformat(),
            }
            for alert in alerts
        ],
    }  # fmt: skip
    ask = Ask(payload=msgspec.Raw(json.dumps(payload).encode()), at=at, source=source)
    return await explainer(bench).answer(ask, bench.clock.now())


async def silence(bench: Bench, matchers: str, end: datetime) -> None:
    now = bench.clock.now()
    made = Silence(f"silence of {matchers}", parse_matchers(matchers), now, end, now, "alice", "patching")
    bench.transactions.silences = Silences([*bench.transactions.silences, made])
    await bench.transactions.write(now, lambda work: timers.add(work.tx, "silence", end, made.id))


async def dump(bench: Bench) -> dict[str, list[Any]]:
    """Every row of every table."""
    import sqlite3

    path = bench.database.path  # type: ignore[attr-defined]
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        names = [row[0] for row in connection.execute(TABLES)]
        found = {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    connection.close()
    return found


def one(found: Explained) -> ExplainedGroup:
    (group,) = found.groups
    return group


async def test_route_hooks_escalation_and_the_words_of_each_channel_are_told(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        found = await explained(bench, firing(team="other", severity="critical"))
        assert found.told
        group = one(found)
        assert (group.route, group.receiver, group.transition, group.told_at) == ("people", "people", "opened", START)
        assert [(hook.hook, hook.verdict, hook.escalation) for hook in group.hooks] == [
            ("dedupe", "pass", ""),
            ("escalate", "pass", "night"),
        ]
        (channel,) = group.channels
        assert (channel.told, channel.title) == (True, "[FIRING:1] Down (critical)")
        assert "Down is firing" in channel.text
        assert [(step.after, step.at, step.notify, step.every, step.times) for step in group.steps] == [
            ("5m", START + timedelta(minutes=5), ("pager",), "", 0),
            ("20m", START + timedelta(minutes=20), ("crew",), "15m", 2),
        ]
        assert [(told.channel, told.told, told.why) for told in group.steps[1].channels] == [
            ("people", True, ""),
            ("chat", False, "send_on"),
            ("pager", True, ""),
        ]


async def test_the_tree_says_which_matcher_refused_and_where_the_search_ended(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        (alert,) = (await explained(bench, firing(team="web"))).alerts
        assert alert.tree is not None
        assert [
            (visit.route, visit.verdict, visit.refused_by, visit.value, visit.ended_by) for visit in alert.tree.routes
        ] == [
            ("db", "refused", 'team="db"', "web", ""),
            ("slow", "taken", "", "", ""),
            ("quiet", "not_reached", "", "", "slow"),
        ]
        assert alert.routes == ("slow",)


async def test_what_hides_an_alert_is_named_with_who_did_it_and_when_it_ends(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await silence(bench, "alertname=Down", START + timedelta(hours=1))
        await bench.post(firing("Node", severity="critical", cluster="x"))
        target = firing(severity="warning", cluster="x", team="quiet")
        group = one(await explained(bench, target))
        assert not group.told
        assert [(found.why, found.by, found.until) for found in group.alerts[0].obstacles] == [
            ("inhibited", firing("Node", severity="critical", cluster="x").fingerprint, None),
            ("muted", "noon", START + timedelta(minutes=30)),
            ("silenced", "silence of alertname=Down", START + timedelta(hours=1)),
        ]
        assert [found.detail for found in group.alerts[0].obstacles] == [
            "alertname=Node, cluster=x, severity=critical fires",
            "inside its route's mute_time_intervals",
            '{alertname="Down"} by alice: patching',
        ]
        assert (group.why, group.told_at) == ("inhibited", None)
        assert {channel.why for channel in group.channels} == {"inhibited"}


async def test_at_another_time_other_intervals_and_silences_hold(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await silence(bench, "team=other", START + timedelta(hours=1))
        quiet = firing(team="quiet")
        assert one(await explained(bench, quiet)).why == "muted"
        assert (await explained(bench, quiet, at="2026-03-01T12:31:00Z")).told
        other = firing(team="other")
        assert one(await explained(bench, other)).told_at == START + timedelta(hours=1)
        assert (await explained(bench, other, at="2026-03-01T13:00:00+00:00")).told


async def test_an_alert_of_the_question_inhibits_another(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        found = await explained(
            bench,
            firing("Node", severity="critical"),
            firing("Pod", severity="warning"),
            firing("Pod", severity="info"),
        )
        obstacles = {alert.fingerprint: alert.obstacles for group in found.groups for alert in group.alerts}
        hidden = {fingerprint for fingerprint, found in obstacles.items() if found}
        assert hidden == {firing("Pod", severity="warning").fingerprint}


async def test_a_repeat_is_no_news_and_an_acknowledged_incident_stays_quiet(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing(team="other"))
        bench.clock.turn(minutes=1)
        group = one(await explained(bench, firing(team="other")))
        assert (group.transition, group.told, group.why, group.by) == ("repeat", False, "duplicate", "dedupe")
        assert [hook.verdict for hook in group.hooks] == ["drop", "not_reached"]
        assert group.incident == bench.sent[0].incident
        await bench.operator.acknowledge(group.incident, "alice", bench.clock.now())
        group = one(await explained(bench, firing(team="other", instance="b")))
        assert (group.transition, group.why, group.by) == ("changed", "acknowledged", "alice")
        group = one(await explained(bench, firing(team="other", instance="b", severity="critical")))
        assert group.told


async def test_alerts_on_both_sides_of_a_rule_do_not_inhibit_one_another(tmp_path: Path) -> None:
    text = CONFIGURATION.replace(
        "[severity=critical], target_matchers: [severity=warning]", "[a=b], target_matchers: [a=b]"
    )
    async with engine(tmp_path, text) as bench:
        group = one(await explained(bench, firing(a="b", instance="1"), firing(a="b", instance="2")))
        assert [alert.obstacles for alert in group.alerts] == [(), ()]


async def test_news_of_a_group_that_waits_is_told_with_it(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing(team="web"))
        bench.clock.turn(seconds=10)
        await silence(bench, "instance=b", START + timedelta(hours=1))
        group = one(await explained(bench, firing(team="web", instance="b")))
        assert (group.transition, group.timeline.looked_at) == ("opened", START + timedelta(seconds=30))
        assert (group.told, [bool(alert.obstacles) for alert in group.alerts]) == (True, [True])
        group = one(await explained(bench, resolved(team="web", end=bench.clock.now())))
        assert (group.transition, group.told, group.why) == ("resolved", False, "ended_untold")


async def test_an_end_is_told_to_those_who_heard_of_the_firing(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing(team="db"))
        found = await explained(bench, resolved(team="db", end=bench.clock.turn(seconds=20)))
        told = {group.route: sorted(channel.channel for channel in group.channels) for group in found.groups}
        assert told == {"db": ["chat", "people"], "slow": []}


async def test_a_firing_no_newer_than_an_end_is_held(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))
        now = bench.clock.turn(seconds=1)
        found = await explained(bench, firing())
        (alert,) = found.alerts
        assert (alert.news, alert.why, alert.until, alert.tree) == ("late", "late", now + timedelta(minutes=1), None)
        assert (found.told, found.groups) == (False, ())
        (alert,) = (await explained(bench, resolved(end=now))).alerts
        assert (alert.news, alert.why) == ("duplicate", "duplicate")


async def test_nothing_is_written_and_nobody_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        await bench.post(firing("Node", severity="critical"))
        await silence(bench, "team=web", START + timedelta(hours=1))
        bench.clock.turn(minutes=1)
        before, told = await dump(bench), list(bench.sent)
        for alert in (
            firing(team="other"), firing(team="web"), firing(team="db"), firing("Node", severity="critical"),
            resolved("Node", severity="critical", end=bench.clock.now()), resolved(end=bench.clock.now()),
        ):  # fmt: skip
            await explained(bench, alert)
        await bench.settle()
        assert await dump(bench) == before
        assert bench.sent == told


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (Ask(), "give the labels"),
        (Ask(labels={"a": "b"}, payload=msgspec.Raw(b"[]")), "not both"),
        (Ask(labels={"a": ""}), "at least one label"),
        (Ask(labels={"a": "b"}, source="nobody"), "there is no source 'nobody'; there are: default, api"),
        (Ask(labels={"a": "b"}, at="yesterday"), "at is no RFC 3339 time"),
        (Ask(labels={"a": "b"}, at="0001-01-01T00:00:00Z"), "at is no moment"),
        (Ask(payload=msgspec.Raw(b"[]")), "no alert can be understood"),
        (Ask(payload=msgspec.Raw(b'[{"labels": {}}]')), "no alert can be understood: at least one label pair required"),
        (Ask(payload=msgspec.Raw(b'{"alerts": []}')), "the payload cannot be read"),
        (
            Ask(payload=msgspec.Raw(b"[" + b",".join([b'{"labels": {"a": "b"}}'] * 101) + b"]")),
            "101 alerts are too many",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_question_that_makes_no_sense_is_refused(tmp_path: Path, ask: Ask, says: str) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        with pytest.raises(BadAsk, match=says):
            await explainer(bench).answer(ask, bench.clock.now())


@pytest.mark.parametrize("seed", range(60))
async def test_what_is_said_is_what_happens(tmp_path: Path, seed: int) -> None:
    """After a random history a random alert is explained, then really comes."""
    rng = random.Random(seed)
    async with engine(tmp_path, CONFIGURATION, Dial(START - timedelta(minutes=rng.choice([1, 120])))) as bench:
        for _ in range(rng.randrange(4)):
            await happens(bench, rng)
        alert = some_alert(bench, rng)
        found = await explained(bench, alert)
        before, now = len(bench.sent), bench.clock.now()
        await bench.accept(alert)
        for group in sorted(found.groups, key=lambda group: group.timeline.looked_at):
            await bench.pass_time(seconds=(group.timeline.looked_at - bench.clock.now()).total_seconds())
        await bench.settle()
        groups = [(group.route, group.group_labels) for group in found.groups]
        told = sorted(
            (message.channel, message.title, message.text)
            for message in bench.sent[before:]
            if (message.route, message.group_labels) in groups
            and message.reason is not Reason.ESCALATED  # of what came before
        )
        said = sorted(
            (channel.channel, channel.title, channel.text)
            for group in found.groups
            for channel in group.channels
            if channel.told
        )
        assert told == said, (now, alert, found)
        await check_what_hides(bench, found, alert)


async def check_what_hides(bench: Bench, found: Explained, alert: Alert) -> None:
    """The database names the obstacle that comes first, for the alerts that were looked at."""
    for group in found.groups:
        page = await bench.operator.incidents(states=["open", "acknowledged"])
        ids = [incident.id for incident in page.incidents if incident.route == group.route]
        for incident in ids:
            for stored in (await bench.operator.incident(incident)).alerts:
                if stored.fingerprint != alert.fingerprint or group.transition in {"resolved", "repeat"}:
                    continue
                (mine,) = [each for each in group.alerts if each.fingerprint == alert.fingerprint]
                assert stored.hidden == (mine.obstacles[0].why if mine.obstacles else "")
                assert stored.hidden_by == (mine.obstacles[0].by if mine.obstacles else "")


async def happens(bench: Bench, rng: random.Random) -> None:
    roll = rng.random()
    if roll < 0.25:
        await silence(
            bench, rng.choice(["team=db", "severity=warning", "alertname=Down"]), bench.clock.now() + timedelta(hours=1)
        )
    elif roll < 0.9:
        await bench.post(some_alert(bench, rng))
    bench.clock.turn(seconds=rng.choice([1, 20, 100, 400]))
    await bench.settle()


def some_alert(bench: Bench, rng: random.Random) -> Alert:
    labels = {"team": rng.choice(["db", "web", "quiet", "other"]), "severity": rng.choice(["critical", "warning"])}
    if rng.random() < 0.3:
        labels["instance"] = rng.choice("ab")
    name = rng.choice(["Down", "Disk"])
    if rng.random() < 0.15:
        return resolved(name, at=START - timedelta(hours=3), end=bench.clock.now(), **labels)
    return firing(name, at=bench.clock.now() - timedelta(seconds=rng.choice([0, 10, 100])), **labels)


async def test_a_question_does_not_keep_the_loop_for_long(tmp_path: Path) -> None:
    async with engine(tmp_path, CONFIGURATION) as bench:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await explained(bench, *[firing(f"Down{number}", team="db") for number in range(100)])
        ticking.cancel()
        assert ticks > 200


async def test_people_are_those_on_call_at_each_steps_time_with_the_rules_that_follow(tmp_path: Path) -> None:
    people = """
people:
  anna: {channels: {slack: chat2, sms: pager}, rules: [{notify: slack}, {after: 5m, notify: sms}]}
  ben: {channels: {slack: chat3}}
schedules:
  payments: {layers: [{people: [anna, ben], every: daily, start: 2026-03-01, at: "12:10"}], fallback: people}
"""
    text = CONFIGURATION.replace("notify: [pager]", "notify: [{on_call: payments}]").replace(
        "notify: [crew]", "notify: [{on_call: payments}]"
    )
    text = text.replace("receivers:\n", "  chat2: {type: console}\n  chat3: {type: console}\nreceivers:\n") + people
    async with engine(tmp_path, text) as bench:
        steps = one(await explained(bench, firing())).steps
        assert [[(told.channel, told.person, told.note) for told in step.channels] for step in steps] == [
            [("people", "", "Nobody is on call for payments.")],
            [("chat2", "anna", "")],
        ]
        assert [step.called for step in steps] == [
            Called(),
            Called({"on_call/payments": ("anna",)}, (LaterRule("anna", "5m", ("pager",)),)),
        ]
        later = one(await explained(bench, firing(), at="2026-03-02T12:00:00Z")).steps
        assert [[told.channel for told in step.channels] for step in later] == [["chat2"], ["chat3"]]
