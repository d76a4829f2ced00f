"""`alertbridge incidents` against a whole bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.http.real import client, notification, port_of, whole_bridge


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


async def incidents(bridge: Bridge, *arguments: str) -> Ran:
    return await alertbridge("incidents", *arguments, ALERTBRIDGE_URL=f"http://127.0.0.1:{port_of(bridge)}")


async def fire(bridge: Bridge, name: str, **labels: str) -> str:
    """The new incident's id."""
    async with client(bridge) as api:
        await api.ask("POST", "/webhook", body=notification(name, **labels))
        return str((await api.get("/api/v1/incidents?limit=1"))["incidents"][0]["id"])


async def test_what_is_open_is_listed_and_filtered(bridge: Bridge) -> None:
    first = await fire(bridge, "DiskFull", severity="critical", team="db")
    second = await fire(bridge, "HighCPU")
    ran = await incidents(bridge, "list")
    assert ran.code == 0
    assert ran.out.index(second) < ran.out.index(first)
    assert "alertname=DiskFull, severity=critical, team=db" in ran.out
    (page,) = (await incidents(bridge, "list", 'team="db"', "--json")).documents
    assert [one["id"] for one in page["incidents"]] == [first]
    assert "--cursor" in (await incidents(bridge, "list", "--limit", "1")).out
    assert first not in (await incidents(bridge, "list", "--state", "resolved")).out


async def test_hostile_labels_cannot_reach_the_terminal(bridge: Bridge) -> None:
    await fire(bridge, "DiskFull", note="\x1b[2J\x9b31m[red]x[/red]\u202e\nfake")
    ran = await incidents(bridge, "list")
    assert ran.code == 0
    assert "[red]x[/red]" in ran.out
    assert r"\x1b[2J" in ran.out
    assert not {"\x1b", "\x9b", "\u202e"} & set(ran.out)
    assert "\nfake" not in ran.out


async def test_an_incident_is_acknowledged_by_the_first_who_says_so(bridge: Bridge) -> None:
    incident, other = await fire(bridge, "DiskFull"), await fire(bridge, "HighCPU")
    ran = await incidents(bridge, "ack", incident, other, "--by", "alice")
    assert (ran.code, ran.out) == (0, f"{incident}: acknowledged\n{other}: acknowledged\n")
    ran = await incidents(bridge, "ack", incident, "nothing", "--by", "bob")
    assert ran.code == 1
    assert "acknowledged by alice already" in ran.err
    assert "nothing: there is none with this id" in ran.err
    assert (await incidents(bridge, "unack", incident, "--by", "alice")).out == f"{incident}: open again\n"
    assert (await incidents(bridge, "resolve", incident, "--by", "alice", "--json")).documents[0]["incident"][
        "state"
    ] == "resolved"
    assert "already" in (await incidents(bridge, "resolve", incident)).out


async def test_one_incident_is_shown_with_its_history(bridge: Bridge) -> None:
    incident = await fire(bridge, "DiskFull")
    await incidents(bridge, "ack", incident, "--by", "alice")
    ran = await incidents(bridge, "show", incident)
    assert ran.code == 0
    for text in (f"{incident}: acknowledged by alice", "alertname=DiskFull", "nowhere", "opened", "acknowledged"):
        assert text in ran.out
    assert (await incidents(bridge, "show", incident, "--json")).documents[0]["incident"]["id"] == incident
    ran = await incidents(bridge, "show", "../../-/reload")
    assert (ran.code, ran.out) == (1, "")


async def test_the_url_can_come_from_the_configuration(bridge: Bridge, tmp_path: Path) -> None:
    incident = await fire(bridge, "DiskFull")
    config = tmp_path / "here.yml"
    config.write_text(
        f"server: {{listen: '127.0.0.1:{port_of(bridge)}'}}\nchannels: {{c: {{type: console}}}}\nroute: {{receiver: c}}\n"
    )
    ran = await alertbridge("incidents", "list", "--config", str(config))
    assert (ran.code, incident in ran.out) == (0, True)
    config.write_text("nonsense")
    assert (await alertbridge("incidents", "list", "--config", str(config))).code == 3


@pytest.mark.parametrize(
    "arguments", [("incidents", "list", "--state", "opened"), ("deliveries", "list", "--state", "ded")]
)
async def test_a_state_that_there_is_not_is_wrong_usage_and_asks_nobody(arguments: tuple[str, ...]) -> None:
    ran = await alertbridge(*arguments, "--url", "http://127.0.0.1:1")
    assert ran.code == 2
    assert f"{arguments[-1]!r} is not one of" in ran.err
