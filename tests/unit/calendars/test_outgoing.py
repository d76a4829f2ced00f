"""A schedule as a calendar: its events are the shifts, and stay the same events."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from icalendar import Calendar
from msgspec.structs import replace

from bridge.calendars import schedule_ics
from bridge.domain.schedules import Layer, Rotation, Schedule, Weeks

BEGIN = datetime(2026, 3, 3, tzinfo=UTC)
WEEK = timedelta(days=7)
LAYER = Layer("primary", Rotation(Weeks(), date(2026, 3, 2)), (("anna",), ("ben",)), "Europe/Berlin")
SCHEDULE = Schedule("payments", "Europe/Berlin", (LAYER,))


def events(written: bytes) -> list[tuple[str, datetime, datetime, str]]:
    found = Calendar.from_ical(written).walk("VEVENT")
    return [(str(each["UID"]), each.start, each.end, str(each["SUMMARY"])) for each in found]


def test_every_shift_is_an_event_in_utc_with_names_for_people() -> None:
    written = schedule_ics(SCHEDULE, BEGIN, BEGIN + WEEK, {"anna": "Anna, the first; of them"})
    first, second = events(written)
    assert first[1:] == (
        datetime(2026, 3, 2, 8, tzinfo=UTC),
        datetime(2026, 3, 9, 8, tzinfo=UTC),
        "Anna, the first; of them (payments)",
    )
    assert second[3] == "ben (payments)"
    assert b"DTSTART:20260302T080000Z\r\n" in written
    assert all(len(line) <= 75 for line in written.split(b"\r\n"))


def test_a_shift_keeps_its_uid_wherever_one_looks_from_and_whoever_holds_it() -> None:
    near = {uid: begin for uid, begin, _, _ in events(schedule_ics(SCHEDULE, BEGIN, BEGIN + WEEK))}
    far = {uid: begin for uid, begin, _, _ in events(schedule_ics(SCHEDULE, BEGIN + WEEK / 2, BEGIN + 8 * WEEK))}
    assert near.items() <= far.items()
    swapped = replace(SCHEDULE, layers=(replace(LAYER, people=(("ben",), ("anna",))),))
    assert {uid for uid, *_ in events(schedule_ics(swapped, BEGIN, BEGIN + WEEK))} == near.keys()
    other = replace(SCHEDULE, name="search")
    assert not {uid for uid, *_ in events(schedule_ics(other, BEGIN, BEGIN + WEEK))} & near.keys()


def test_the_same_shifts_are_the_same_bytes() -> None:
    assert schedule_ics(SCHEDULE, BEGIN, BEGIN + WEEK) == schedule_ics(SCHEDULE, BEGIN + WEEK / 14, BEGIN + WEEK)
