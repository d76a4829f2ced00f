"""`alertbridge explain`, straight from a configuration and from a running bridge; nothing is sent or written."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from bridge.app.bridge import Bridge
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.http.real import client, notification, port_of, whole_bridge

CONFIGURATION = """
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  people: {{type: exec, command: ["/bin/sh", "-c", "echo told >> {folder}/told"], send_on: [opened, resolved]}}
  chat: {{type: console, send_on: [escalated]}}
receivers: {{crew: [people, chat]}}
escalations: {{night: [{{after: 5m, notify: [chat]}}]}}
time_intervals:
  - name: nights
    time_intervals: [{{times: [{{start_time: '00:00', end_time: '06:00'}}], location: Europe/Berlin}}]
route:
  receiver: crew
  hooks: [dedupe, {{escalate: night}}]
  routes:
    - {{name: calm, matchers: ['severity="warning"'], receiver: crew, mute_time_intervals: [nights]}}
"""


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    path = tmp_path / "main.yml"
    path.write_text(CONFIGURATION.format(folder=tmp_path))
    return path


async def explain(configuration: Path, *arguments: str, **environment: str) -> Ran:
    return await alertbridge("explain", "--config", str(configuration), *arguments, **environment)


def group(ran: Ran) -> Any:
    (document,) = ran.documents
    (found,) = document["groups"]
    return found


def write(path: Path, text: str) -> None:
    path.write_text(text)


def listed(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rows(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{folder}/bridge.db?mode=ro", uri=True)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names}


async def test_a_person_reads_where_it_goes_and_why_not_elsewhere(configuration: Path) -> None:
    ran = await explain(configuration, "Down", "severity=critical")
    assert ran.code == 0, ran.err
    assert "severity=\"warning\": the label is 'critical'" in ran.out
    assert "channel people [exec] opened\n    [FIRING:1] Down (critical)" in ran.out
    assert "channel chat [console] opened: not told, not in its send_on" in ran.out
    assert "after 5m, " in ran.out
    assert "no silence is known" in ran.out
    assert listed(configuration.parent) == {"main.yml"}


async def test_exit_1_says_that_nobody_would_be_told_and_when_somebody_may_be(configuration: Path) -> None:
    at = ("--at", "2026-10-25T02:30", "--tz", "Europe/Berlin")
    ran = await explain(configuration, "--labels", "alertname=Down,severity=warning", *at)
    assert ran.code == 1
    assert "At 2026-10-25 02:30:00+02:00: nobody would be told" in ran.out
    assert "not told: muted by a time interval (nights); not before 2026-10-25 06:00:00+01:00" in ran.out
    assert (await explain(configuration, "Down", "severity=warning", "--at", "2026-10-25T12:00:00Z")).code == 0


async def test_programs_read_json(configuration: Path) -> None:
    ran = await explain(configuration, "Down", "severity=critical", "--annotation", "summary=all of it", "--json")
    found = group(ran)
    assert (ran.code, found["told"], found["route"]) == (0, True, "crew")
    assert [channel["channel"] for channel in found["channels"] if channel["told"]] == ["people"]
    assert "all of it" in found["channels"][0]["text"]
    assert found["steps"][0]["after"] == "5m"


@pytest.mark.parametrize("how", ["a webhook", "a list"])
async def test_a_file_holds_what_a_sender_posts(configuration: Path, how: str) -> None:
    body = notification("Down", severity="critical") if how == "a webhook" else [{"labels": {"alertname": "Down"}}]
    file = configuration.with_name("alert.json")
    file.write_text(json.dumps(body))
    found = group(await explain(configuration, "--alert", str(file), "--json"))
    assert found["source"] == ("default" if how == "a webhook" else "api")
    assert found["timeline"]["group_wait"] == ("0s" if how == "a webhook" else "30s")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "give the labels of one alert"),
        (("Down", "--alert", "/dev/null"), "give the labels of one alert"),
        (("--alert", "/dev/null"), "it is empty"),
        (("Down", "--source", "nobody"), "there is no source 'nobody'"),
        (("Down", "--at", "noon"), "it is no time"),
        (("Down", "--at", "2026-03-29T02:30", "--tz", "Europe/Berlin"), "the clocks there skip this time"),
        (("Down", "--tz", "Mars/Olympus"), "there is no time zone"),
        (("--labels", "a!=b"), "form name=value"),
        (("Down", "--url", "http://127.0.0.1:1"), "give one of them"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_wrong_usage_is_exit_2(configuration: Path, arguments: tuple[str, ...], says: str) -> None:
    ran = await explain(configuration, *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in " ".join(ran.err.replace("│", " ").split())


async def test_what_cannot_be_answered_is_exit_3(configuration: Path) -> None:
    assert (await explain(configuration.with_name("nothing.yml"), "Down")).code == 3
    write(configuration, "route: {receiver: nobody}\n")
    ran = await explain(configuration, "Down")
    assert ran.code == 3
    assert "main.yml:1" in ran.err
    assert (await alertbridge("explain", "Down", "--url", "http://127.0.0.1:1")).code == 3


async def test_a_damaged_database_is_exit_3_unless_it_is_left_alone(configuration: Path) -> None:
    configuration.with_name("bridge.db").write_bytes(b"no database" * 100)
    assert (await explain(configuration, "Down")).code == 3
    assert (await explain(configuration, "Down", "--no-database")).code == 0


async def test_what_needs_credentials_is_explained_where_there_are_none(configuration: Path) -> None:
    """As in a job that checks a change: nobody's credentials are there."""
    text = CONFIGURATION.format(folder=configuration.parent)
    http = (
        """[{enrich: {http: {url: "http://127.0.0.1:1/", headers: {X: "env:NO_SUCH_TOKEN"}, labels: {team: team}}}}]"""
    )
    channel = """{type: slack, webhook_url: "env:NO_SUCH_URL"}"""
    text = text.replace("[dedupe, {escalate: night}]", http).replace("{type: console, send_on: [escalated]}", channel)
    write(configuration, text)
    ran = await explain(configuration, "Down")
    assert ran.code == 3
    assert "NO_SUCH_TOKEN" in ran.err
    ran = await explain(configuration, "Down", "--no-io", "--json")
    assert ran.code == 0, ran.err
    assert [(hook["hook"], hook["verdict"]) for hook in group(ran)["hooks"]] == [("enrich", "not_run")]
    chat = group(ran)["channels"][1]
    assert chat["told"]
    assert "NO_SUCH_URL" in chat["problem"]


EXTRA = """
escalations: {night: [{after: 5m, notify: [nowhere]}]}
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning]}]
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> Any:
    async with whole_bridge(tmp_path, EXTRA) as running:
        yield running


async def silence(bridge: Bridge) -> str:
    matchers = [{"name": "alertname", "value": "Quiet", "isRegex": False, "isEqual": True}]
    times = {"startsAt": "2020-01-01T00:00:00Z", "endsAt": "2090-01-01T00:00:00Z"}
    body = {"matchers": matchers, **times, "createdBy": "alice", "comment": "patching"}
    async with client(bridge) as api:
        status, answer = await api.ask("POST", "/api/v2/silences", body=body)
        assert status == 200, answer
        return str(answer["silenceID"])


async def test_a_running_bridge_and_its_database_know_what_hides_an_alert(bridge: Bridge, tmp_path: Path) -> None:
    made = await silence(bridge)
    async with client(bridge) as api:
        await api.ask("POST", "/webhook", body=notification("Node", severity="critical"))
    url = f"http://127.0.0.1:{port_of(bridge)}"
    for where in (("--url", url), ("--config", str(tmp_path / "bridge.yml"))):
        ran = await alertbridge("explain", "Quiet", "--json", *where)
        assert (ran.code, group(ran)["why"], group(ran)["by"]) == (1, "silenced", made), where
        assert group(ran)["alerts"][0]["obstacles"][0]["detail"] == '{alertname="Quiet"} by alice: patching'
        ran = await alertbridge("explain", "Pod", "severity=warning", "--json", *where)
        assert (ran.code, group(ran)["why"]) == (1, "inhibited")
        assert group(ran)["alerts"][0]["obstacles"][0]["detail"] == "alertname=Node, severity=critical fires"
        ran = await alertbridge("explain", "Node", "severity=critical", "--json", *where)
        assert (ran.code, group(ran)["transition"], group(ran)["why"]) == (1, "repeat", "duplicate")
        ran = await alertbridge("explain", "Node", "severity=critical", "--fresh", "--json", *where)
        assert group(ran)["transition"] == "opened"


async def test_the_environment_says_which_bridge_answers_unless_a_configuration_is_named(
    bridge: Bridge, configuration: Path
) -> None:
    url = f"http://127.0.0.1:{port_of(bridge)}"
    found = group(await alertbridge("explain", "Down", "--json", ALERTBRIDGE_URL=url))
    assert found["channels"][0]["channel"] == "nowhere"
    found = group(await explain(configuration, "Down", "--json", ALERTBRIDGE_URL=url))
    assert found["channels"][0]["channel"] == "people"


async def test_nothing_is_written_and_nobody_is_told(configuration: Path) -> None:
    """The database is that of a bridge that has stopped."""
    folder = configuration.parent
    async with whole_bridge(folder) as running, client(running) as api:
        await api.ask("POST", "/webhook", body=notification("Down", severity="critical"))
    before = rows(folder)
    assert before["incidents"]
    ran = await explain(configuration, "Other", "severity=critical")
    assert ran.code == 0
    assert "no silence is known" not in ran.out
    assert rows(folder) == before
    assert "told" not in listed(folder)


async def test_what_came_from_outside_moves_no_terminal(configuration: Path) -> None:
    ran = await explain(configuration, "--labels", "alertname=Down,note=\x1b[2Jx\x9b31m")
    assert ran.code == 0
    assert not {"\x1b", "\x9b"} & set(ran.out)
