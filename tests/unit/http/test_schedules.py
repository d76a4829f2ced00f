"""`GET /schedules/NAME.ics`: for whoever has the address, and nobody else; unchanged is said to be so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from icalendar import Calendar
from multidict import CIMultiDictProxy
from typer.testing import CliRunner

from bridge.app.bridge import Bridge
from bridge.cli.main import app
from tests.unit.http.real import port_of, whole_bridge

SCHEDULES = """
people: {anna: {name: Anna Alba}, ben: }
schedules:
  payments: {layers: [{people: [anna, ben], start: 2025-01-06, every: daily}]}
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path, SCHEDULES) as running:
        yield running


async def ask(bridge: Bridge, path: str, **headers: str) -> tuple[int, CIMultiDictProxy[str], bytes]:
    url = f"http://127.0.0.1:{port_of(bridge)}{path}"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        return answer.status, answer.headers, await answer.read()


def address(bridge: Bridge, name: str = "payments") -> str:
    return f"/schedules/{name}.ics?token={bridge.calendar_token(name)}"


async def test_who_has_the_address_gets_the_calendar(bridge: Bridge) -> None:
    status, headers, body = await ask(bridge, address(bridge))
    assert (status, headers["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    events = Calendar.from_ical(body).walk("VEVENT")
    assert len(events) in range(396, 400)
    assert {str(event["SUMMARY"]) for event in events} == {"Anna Alba (payments)", "ben (payments)"}


async def test_what_did_not_change_is_not_sent_again(bridge: Bridge) -> None:
    _, headers, _ = await ask(bridge, address(bridge))
    status, _, body = await ask(bridge, address(bridge), **{"If-None-Match": headers["ETag"]})
    assert (status, body) == (304, b"")
    status, _, _ = await ask(bridge, address(bridge), **{"If-None-Match": '"another"'})
    assert status == 200


@pytest.mark.parametrize("token", ["", "?token=", "?token=wrong", "?token=%ff%C3%A4"])
async def test_without_its_token_there_is_no_calendar(bridge: Bridge, token: str) -> None:
    status, _, body = await ask(bridge, f"/schedules/payments.ics{token}")
    assert status == 404
    assert b"BEGIN" not in body


async def test_a_token_is_for_one_schedule_and_one_that_is_none_is_answered_alike(bridge: Bridge) -> None:
    wrong, _, _ = await ask(bridge, address(bridge).replace("payments", "search"))
    none, _, _ = await ask(bridge, address(bridge, "search"))
    assert (wrong, none) == (404, 404)


async def test_the_command_says_the_address(bridge: Bridge) -> None:
    result = CliRunner().invoke(app, ["schedule", "show", "payments", "--url", "--config", str(bridge._path)])
    assert result.output.strip().endswith(address(bridge))
