"""`alertbridge deliveries` against a whole bridge whose every delivery dies."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bridge.app.bridge import Bridge
from bridge.cli.replay import Course
from bridge.engine.views import ReplayPage
from tests.unit.cli.command import Ran, alertbridge
from tests.unit.cli.terminal import on_a_terminal
from tests.unit.http.real import client, notification, port_of, whole_bridge


async def deliveries(bridge: Bridge, *arguments: str) -> Ran:
    return await alertbridge("deliveries", *arguments, ALERTBRIDGE_URL=f"http://127.0.0.1:{port_of(bridge)}")


async def dead(bridge: Bridge) -> dict[str, Any]:
    """The newest delivery, once it is dead."""
    async with client(bridge) as api:
        for _ in range(100):
            found = (await api.get("/api/v1/deliveries?state=dead&limit=1"))["deliveries"]
            if found:
                return dict(found[0])
            await asyncio.sleep(0.05)
    raise AssertionError("the delivery did not die")


async def test_dead_letters_are_listed_and_tried_again(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        async with client(bridge) as api:
            await api.ask("POST", "/webhook", body=notification("DiskFull"))
        died = await dead(bridge)
        ran = await deliveries(bridge, "list", "--state", "dead", "--channel", "nowhere")
        assert ran.code == 0
        assert died["incident"] in ran.out
        assert "dead" in ran.out
        (page,) = (await deliveries(bridge, "list", "--channel", "other", "--json")).documents
        assert page == {"deliveries": [], "next": None}
        ran = await deliveries(bridge, "retry", died["id"], "999", "--by", "alice")
        assert ran.code == 1
        assert f"{died['id']}: " in ran.out
        assert "999: there is none with this id" in ran.err
        assert (await dead(bridge))["attempts"] > died["attempts"]


async def test_a_state_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        ran = await deliveries(bridge, "list", "--state", "gone")
        assert ran.code == 2
        assert "dead" in ran.err


async def several_dead(bridge: Bridge, *names: str) -> None:
    """An incident of each name, whose delivery died."""
    async with client(bridge) as api:
        for name in names:
            await api.ask("POST", "/webhook", body=notification(name))
        for _ in range(200):
            if len((await api.get("/api/v1/deliveries?state=dead"))["deliveries"]) == len(names):
                return
            await asyncio.sleep(0.05)
    raise AssertionError("the deliveries did not die")


async def test_a_retry_of_what_needs_none_says_why(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        await several_dead(bridge, "DiskFull")
        died = await dead(bridge)
        async with client(bridge) as api:
            await api.ask("POST", f"/api/v1/incidents/{died['incident']}/acknowledge", body={"by": "alice"})
        ran = await deliveries(bridge, "retry", died["id"])
        assert ran.code == 1
        assert "its incident is acknowledged" in ran.err


async def test_what_a_replay_would_do_is_shown_and_what_it_did_can_be_read_by_programs(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        await several_dead(bridge, "One", "Two")
        ran = await deliveries(bridge, "replay", "--dry-run")
        assert ran.code == 0
        assert "nowhere" in ran.out
        assert "a replay would take 2 dead letters; nothing was changed" in ran.out
        assert ran.err == "", "no progress bar where there is no terminal"
        ran = await deliveries(bridge, "replay", "--yes", "--json", "--by", "alice")
        assert ran.code == 0
        assert ran.documents == [
            {
                "dry_run": False,
                "channels": [{"channel": "nowhere", "replayed": 2, "superseded": 0, "left_out": 0}],
                "left_out": [],
            }
        ]


async def test_on_a_terminal_a_replay_says_how_many_and_asks(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        await several_dead(bridge, "One", "Two")
        url = f"http://127.0.0.1:{port_of(bridge)}"

        no = await on_a_terminal("deliveries", "replay", "--url", url, typed="n\n")
        assert no.code == 1
        assert "Replay 2 dead letters? [y/N]" in no.screen
        assert "nothing was replayed" in no.screen
        assert "nowhere" in no.out
        async with client(bridge) as api:
            assert await api.get("/api/v1/audit?kind=replayed") == b""

        yes = await on_a_terminal("deliveries", "replay", "--url", url, typed="y\n")
        assert yes.code == 0, yes.screen
        assert "replaying" in yes.screen
        async with client(bridge) as api:
            assert len((await api.get("/api/v1/audit?kind=replayed")).splitlines()) == 2


def test_a_replay_gives_a_channel_up_that_takes_nothing_for_a_minute() -> None:
    def page(looked: int, waiting: int) -> ReplayPage:
        return ReplayPage((), (), looked, "1-2-3", 0.25, waiting)

    course = Course(0.0)
    assert not course.stuck(page(200, 200), 1.0)
    assert not course.stuck(page(0, 200), 60.0)
    assert not course.stuck(page(0, 199), 61.0), "one went out"
    assert not course.stuck(page(0, 199), 120.0)
    assert course.stuck(page(0, 199), 122.0)


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--since", "yesterday"),
        ("replay", "--dry-run", "--since", "2026-01-01T00:00:00"),
        ("replay", "--dry-run", "--reason", "opend"),
        ("replay", "--dry-run", "--state", "sent"),
        ("replay",),
    ],
)
async def test_what_cannot_be_asked_for_is_wrong_usage_and_asks_nobody(words: tuple[str, ...]) -> None:
    ran = await alertbridge("deliveries", *words, "--url", "http://127.0.0.1:1")
    assert ran.code == 2
    assert (words[-2] if len(words) > 2 else "--yes") in ran.err
