"""Acting on the incidents of a whole bridge from the command line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from tests.unit.cli.test_incidents import fire, incidents
from tests.unit.http.real import whole_bridge


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


async def test_incidents_are_snoozed(bridge: Bridge) -> None:
    incident = await fire(bridge, "DiskFull")
    ran = await incidents(bridge, "snooze", incident, "--for", "30m", "--by", "alice")
    assert (ran.code, ran.out) == (0, f"{incident}: snoozed\n")
    ran = await incidents(bridge, "snooze", incident, "--until", "2126-10-25T08:00+02:00", "--by", "alice")
    assert (ran.code, "within 366 days" in ran.err) == (1, True)
    ran = await incidents(bridge, "show", incident)
    assert f"{incident}: snoozed by alice until 20" in ran.out
    assert '"via":"cli"' in ran.out


@pytest.mark.parametrize(
    "options",
    [(), ("--for", "30m", "--until", "2026-10-25T08:00"), ("--until", "noon")],
    ids=["none", "both", "no time"],
)
async def test_a_snooze_has_one_end(bridge: Bridge, options: tuple[str, ...]) -> None:
    assert (await incidents(bridge, "snooze", "some", *options)).code == 2


async def test_a_time_without_offset_is_by_the_clocks_here(bridge: Bridge) -> None:
    incident = await fire(bridge, "DiskFull")
    wall = datetime.now().replace(microsecond=0) + timedelta(hours=2)  # noqa: DTZ005 - what the clocks here show
    ran = await incidents(bridge, "snooze", incident, "--until", wall.isoformat(), "--by", "alice", "--json")
    assert datetime.fromisoformat(ran.documents[0]["incident"]["snoozed_until"]) == wall.astimezone(UTC)


async def test_people_work_together(bridge: Bridge) -> None:
    incident = await fire(bridge, "DiskFull")
    assert (await incidents(bridge, "comment", incident, "looking", "--by", "alice")).out == f"{incident}: kept\n"
    assert (
        await incidents(bridge, "comment", incident, "looking", "--by", "alice")
    ).out == f"{incident}: you said so already\n"
    assert (await incidents(bridge, "assign", incident, "--to", "bob")).out == f"{incident}: assigned to bob\n"
    assert (await incidents(bridge, "call", incident, "nowhere")).out == f"{incident}: nowhere is called\n"
    ran = await incidents(bridge, "call", incident, "nobody")
    assert (ran.code, "nobody of this name" in ran.err) == (1, True)
    assert (await incidents(bridge, "escalate", incident)).out == f"{incident}: there is no step left to take\n"
    shown = (await incidents(bridge, "show", incident)).out
    for text in (f"{incident}: open, assigned to bob", "looking", "nowhere", "COMMENT", "CALLED"):
        assert text in shown


async def test_somebody_is_paged(bridge: Bridge) -> None:
    words = ("page", "the shop is down", "--severity", "critical", "--label", "team=web", "--by", "alice")
    ran = await incidents(bridge, *words, "--receiver", "nowhere")
    assert (ran.code, ran.out.partition(": ")[2]) == (0, "opened, nowhere is told\n")
    shown = (await incidents(bridge, "show", ran.out.partition(":")[0])).out
    assert "alertname=the shop is down, severity=critical, team=web" in shown
    ran = await incidents(bridge, *words, "--receiver", "nobody")
    assert (ran.code, "nobody of this name" in ran.err) == (1, True)
