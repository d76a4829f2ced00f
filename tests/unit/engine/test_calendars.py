"""Calendars are fetched when they are due; the last good copy is kept, and that it got old is said once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web

from bridge.app.bridge import Bridge
from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret
from bridge.engine.calendars import CalendarReader
from bridge.engine.on_call import OnCallBook
from bridge.storage import calendars
from tests.unit.cli.command import alertbridge

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
CONFIG = """
server: {{listen: "127.0.0.1:0"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
egress: {{allow: ["127.0.0.0/8"]}}
channels: {{out: {{type: webhook, url: "{url}/told"}}}}
route: {{receiver: out}}
fallback: out
people: {{anna: {{email: anna@example.com}}, ben: }}
schedules:
  payments:
    layers: [{{people: [ben], start: 2026-03-02, at: "00:00"}}]
    ical: {{url: "{url}/payments.ics", every: 15m, stale_after: 6h}}
"""
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260302T100000Z\r\n"
    "DTEND:20260304T100000Z\r\nSUMMARY:anna@example.com\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


class Clock:
    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time


class Service:
    """Answers with `body` and `status`, and counts."""

    def __init__(self) -> None:
        self.body, self.status, self.asked = CALENDAR, 200, 0

    async def calendar(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.body, status=self.status)

    async def told(self, _request: web.Request) -> web.Response:
        return web.Response()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def service() -> AsyncIterator[tuple[Service, str]]:
    found = Service()
    app = web.Application()
    app.router.add_get("/payments.ics", found.calendar)
    app.router.add_post("/told", found.told)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield found, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


def _fatal(error: BaseException) -> None:
    raise error


@pytest.fixture(autouse=True)
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step is taken by the test."""

    async def run(_reader: CalendarReader) -> None:
        return

    monkeypatch.setattr(CalendarReader, "run", run)


@pytest.fixture
async def bridge(tmp_path: Path, clock: Clock, service: tuple[Service, str]) -> AsyncIterator[Bridge]:
    path = tmp_path / "bridge.yml"
    path.write_text(CONFIG.format(folder=tmp_path, url=service[1]))
    running = await Bridge.start(path, clock, fatal=_fatal)
    yield running
    await running.stop()


async def step(bridge: Bridge, clock: Clock, after: timedelta = timedelta()) -> tuple[str, ...]:
    clock.time += after
    await bridge._parts.calendars.step()
    return bridge.on_call.on_call("payments", NOW)


async def test_what_a_calendar_says_overrides_the_layers(
    bridge: Bridge, clock: Clock, service: tuple[Service, str]
) -> None:
    assert await step(bridge, clock) == ("anna",)
    assert bridge.on_call.on_call("payments", NOW + timedelta(days=3)) == ("ben",)
    asked = service[0].asked
    assert await step(bridge, clock, timedelta(minutes=14)) == ("anna",)
    assert service[0].asked == asked, "it was not due"
    service[0].body = CALENDAR.replace("20260302T1", "20260303T1")
    assert await step(bridge, clock, timedelta(minutes=1)) == ("ben",)
    assert service[0].asked == asked + 1


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, "", "it is answered with status 500"),
        (302, "", "redirects are not followed"),
        (200, "<html>please log in</html>", "an HTML page"),
        (200, "BEGIN:VCALENDAR\r\n" + "X" * 9_000_000, "too large"),
    ],
)
async def test_a_calendar_that_cannot_be_read_leaves_the_copy_and_is_told_of_when_it_is_old(
    bridge: Bridge, clock: Clock, service: tuple[Service, str], status: int, body: str, said: str
) -> None:
    await step(bridge, clock)
    service[0].status, service[0].body = status, body
    assert await step(bridge, clock, timedelta(hours=5)) == ("anna",)
    assert bridge._parts.calendars.stale() == {}
    assert await step(bridge, clock, timedelta(hours=1)) == ("anna",)
    assert said in bridge._parts.calendars.stale()["payments"]
    troubles = {trouble.what: trouble.detail for trouble in (await bridge.health()).troubles}
    assert said in troubles["calendar_stale"]


async def test_that_it_is_old_is_said_to_the_fallback_once_and_again_after_it_was_fresh(
    bridge: Bridge, clock: Clock, service: tuple[Service, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []

    async def notice(_work: object, text: str) -> None:
        told.append(text)

    monkeypatch.setattr("bridge.engine.calendars.outbox.notice", notice)
    await step(bridge, clock)
    service[0].status = 503
    for _ in range(5):
        await step(bridge, clock, timedelta(hours=6))
    assert len(told) == 1
    assert told[0].startswith("the calendar of the schedule payments is out of date: the copy in use is 6h old.")
    assert service[1] not in told[0], "the address is a secret"
    service[0].status = 200
    await step(bridge, clock, timedelta(hours=6))
    assert bridge._parts.calendars.stale() == {}
    service[0].status = 503
    await step(bridge, clock, timedelta(hours=7))
    assert len(told) == 2


async def test_a_new_address_is_looked_at_at_once_and_until_it_answers_the_copy_stays(
    bridge: Bridge, clock: Clock, service: tuple[Service, str], tmp_path: Path
) -> None:
    await step(bridge, clock)
    path = tmp_path / "bridge.yml"
    path.write_text(path.read_text().replace("/payments.ics", "/moved.ics"))
    assert await bridge.reload() == ()
    assert await step(bridge, clock) == ("anna",)
    (stored,) = await bridge._database.read(calendars.every)
    assert "status 404" in stored.problem
    asked = service[0].asked
    path.write_text(path.read_text().replace("/moved.ics", "/payments.ics"))
    assert await bridge.reload() == ()
    await step(bridge, clock)
    assert service[0].asked == asked + 1
    assert (await bridge._database.read(calendars.every))[0].problem == ""


async def test_a_bridge_that_does_not_lead_fetches_nothing_and_reads_what_another_kept(
    bridge: Bridge, clock: Clock, service: tuple[Service, str]
) -> None:
    book = OnCallBook(lambda: bridge.config)
    follower = CalendarReader(bridge.transactions, book, clock, lambda: False)
    await follower.step()
    assert (service[0].asked, book.on_call("payments", NOW)) == (0, ("ben",))
    await step(bridge, clock)
    await follower.step()
    assert (service[0].asked, book.on_call("payments", NOW)) == (1, ("anna",))


async def test_an_address_that_does_not_open_is_a_failure_like_others(
    bridge: Bridge, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(_name: str) -> Secret:
        raise SecretError("no key")

    monkeypatch.setattr(bridge._parts.calendars, "address_of", closed)
    await step(bridge, clock)
    await step(bridge, clock, timedelta(hours=6))
    assert bridge._parts.calendars.stale() == {"payments": "no key"}


async def test_the_copy_outlives_a_restart(
    bridge: Bridge, clock: Clock, service: tuple[Service, str], tmp_path: Path
) -> None:
    await step(bridge, clock)
    service[0].status = 500
    await bridge.stop()
    again = await Bridge.start(tmp_path / "bridge.yml", clock, fatal=_fatal)
    try:
        assert await step(again, clock, timedelta(hours=1)) == ("anna",)
    finally:
        await again.stop()


async def test_a_calendar_that_is_no_longer_configured_is_forgotten(
    bridge: Bridge, clock: Clock, tmp_path: Path
) -> None:
    await step(bridge, clock)
    path = tmp_path / "bridge.yml"
    path.write_text("\n".join(line for line in path.read_text().splitlines() if "ical:" not in line))
    assert await bridge.reload() == ()
    assert await step(bridge, clock) == ("ben",)
    assert await bridge._database.read(calendars.every) == []


async def test_the_command_knows_what_the_copy_says(bridge: Bridge, clock: Clock, tmp_path: Path) -> None:
    await step(bridge, clock)
    ran = await alertbridge(
        "schedule", "show", "--json", "--at", "2026-03-02T12:00Z", "--config", str(tmp_path / "bridge.yml")
    )
    assert ran.err == ""
    ((found,),) = ran.documents
    assert (found["people"], found["layer"]) == (["anna"], "calendar")


async def test_without_a_database_the_command_says_that_calendars_are_not_known(tmp_path: Path) -> None:
    path = tmp_path / "bridge.yml"
    path.write_text(CONFIG.format(folder=tmp_path / "none", url="http://127.0.0.1:1"))
    ran = await alertbridge("schedule", "show", "--json", "--at", "2026-03-02T12:00Z", "--config", str(path))
    assert "what calendars say is not known" in ran.err
    assert ran.documents[0][0]["people"] == ["ben"]
