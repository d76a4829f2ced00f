"""Whoever is on call next hears of it, and of what is open."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from bridge.domain.schedules import Override
from bridge.engine import handoffs
from bridge.engine.reconfigured import adopt
from bridge.storage import timers
from tests.bridge_bench import START, Bench, engine, firing
from tests.unit.engine.test_calling import ON_CALL, config, details, for_whom

DAY = timedelta(days=1)


async def reload(bench: Bench, folder: Path, text: str) -> None:
    bench.transactions.swap(bench.configure(text, folder))
    await adopt(bench.transactions, bench.clock.now())
    await bench.settle()


async def until(bench: Bench, **span: float) -> None:
    """Turn the clock to that long after the start, and do what is due."""
    bench.clock.time = START + timedelta(**span)
    await bench.settle()


async def test_the_next_person_is_told_at_the_hand_off_what_is_open(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await reload(bench, tmp_path, ON_CALL)
        assert bench.sent == []
        await bench.post(firing("Disk", severity="critical"))
        incident = bench.sent[0].incident
        await bench.operator.acknowledge(incident, "anna", bench.clock.now())
        await until(bench, hours=23, minutes=59)
        assert bench.told() == ["people opened"]
        await until(bench, hours=24)
        assert bench.told() == ["people opened", "ben-slack notice"]
        assert bench.sent[1].text == (
            "You are on call for payments now until 2026-03-03 12:00 UTC. Before you: anna.\n"
            "One incident is open:\n"
            f"- Disk (critical), since 2026-03-01 12:00 UTC, acknowledged by anna: {incident}"
        )
        assert (await for_whom(bench))["ben-slack"] == "ben"
        assert await details(bench, "handed_over") == [("payments", "anna to ben; open incidents: 1")]


async def test_an_incident_that_tells_others_is_not_listed_and_everybody_is_told_once(tmp_path: Path) -> None:
    text = config("boss")
    async with engine(tmp_path, text) as bench:
        await reload(bench, tmp_path, text)
        await bench.post(firing())
        for hours in (24, 48, 72):
            await until(bench, hours=hours)
        assert [line for line in bench.told() if line.endswith("notice")] == [
            "ben-slack notice", "anna-slack notice", "ben-slack notice",
        ]  # fmt: skip
        assert "Before you: anna. Nothing is open." in bench.sent[-1].text


async def test_a_gap_is_no_hand_off_and_neither_is_a_start(tmp_path: Path) -> None:
    layer = (
        '{people: [anna], every: daily, start: 2026-03-01, restrictions: [{start_time: "09:00", end_time: "17:00"}]}'
    )
    text = ON_CALL.replace('{people: [anna, ben], every: daily, start: 2026-03-01, at: "12:00"}', layer)
    async with engine(tmp_path, text) as bench:
        await reload(bench, tmp_path, text)
        for hours in (5, 21, 29, 45):
            await until(bench, hours=hours)
        assert bench.sent == []
        assert await details(bench, "handed_over") == []
        await reload(
            bench, tmp_path, text.replace("[anna], every: daily, start: 2026-03-01", "[ben], start: 2026-03-01")
        )
        assert bench.told() == ["ben-slack notice"]


async def test_an_edit_and_a_calendar_hand_over_too(tmp_path: Path) -> None:
    text = ON_CALL.replace("  payments:\n", "  payments:\n    ical: {url: 'https://calendar.example.com/x.ics'}\n")
    async with engine(tmp_path, text) as bench:
        await reload(bench, tmp_path, text)
        await reload(bench, tmp_path, text)
        assert bench.sent == [], "nobody has read the calendar yet"
        book = bench.transactions.on_call
        book.imported("payments", ())
        await handoffs.look(bench.transactions, bench.clock.now())
        book.imported("payments", (Override(START, START + DAY / 2, ("ben",)),))
        await handoffs.look(bench.transactions, bench.clock.now())
        await bench.settle()
        assert bench.told() == ["ben-slack notice"]
        book.shifts = {}
        await adopt(bench.transactions, bench.clock.now())
        await bench.settle()
        assert bench.told() == ["ben-slack notice"], "after a start nobody has read the calendar yet"
        book.imported("payments", (Override(START, START + DAY / 2, ("ben",)),))
        await handoffs.look(bench.transactions, bench.clock.now())
        await until(bench, hours=12)
        assert bench.told() == ["ben-slack notice", "anna-slack notice"]


async def test_a_schedule_may_do_without_notices_and_the_hand_off_is_recorded(tmp_path: Path) -> None:
    text = ON_CALL.replace("  payments:\n", "  payments:\n    notices: false\n")
    async with engine(tmp_path, text) as bench:
        await reload(bench, tmp_path, text)
        await until(bench, hours=24)
        assert bench.sent == []
        assert await details(bench, "handed_over") == [("payments", "anna to ben; open incidents: 0")]


async def test_after_an_outage_over_several_hand_offs_only_whoever_is_on_call_now_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path, ON_CALL) as bench:
        await reload(bench, tmp_path, ON_CALL)
        await until(bench, hours=24 * 3 + 1)
        assert bench.told() == ["ben-slack notice"]
        waiting = await bench.database.read(lambda tx: timers.of_incident(tx, "", handoffs.TIMER))
        assert [timer.due_at for timer in waiting] == [START + 4 * DAY], "one timer is for all"
