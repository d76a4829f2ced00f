"""Calendars as they are in the wild."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.calendars import CalendarError, Imported, Who, parse_calendar, schedule_ics
from bridge.domain.person import Person
from bridge.domain.schedules import Override, Schedule, on_call

PEOPLE = (
    Person("anna", "Anna Alba", "UTC", {}, (), ("anna@example.com",)),
    Person("ben", "ben", "UTC", {}, (), ("ben@example.com",)),
)
WHO = Who.of(PEOPLE)
BEGIN, END = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 5, 1, tzinfo=UTC)


def event(*lines: str, uid: str = "one", start: str = ";TZID=Europe/Berlin:20260302T090000", hours: int = 8) -> str:
    properties = (f"UID:{uid}", f"DTSTART{start}", f"DURATION:PT{hours}H" if "T" in start.split(":")[1] else "X-A:B")
    return "\r\n".join(("BEGIN:VEVENT", *properties, *lines, "END:VEVENT"))


def parse(*events: str, match: str = "email", zone: str = "Europe/Berlin") -> Imported:
    content = "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//x//y//EN", *events, "END:VCALENDAR", ""))
    return parse_calendar(content.encode(), WHO, zone, BEGIN, END, match=match)


def begins(found: Imported) -> list[str]:
    return [shift.begin.strftime("%m-%d %H:%M") for shift in found.shifts]


def held(found: Imported) -> list[tuple[str, str, str]]:
    return [
        (shift.begin.strftime("%d %H:%M"), shift.end.strftime("%d %H:%M"), "+".join(shift.people))
        for shift in found.shifts
    ]


def test_attendees_are_found_by_their_address_in_any_case() -> None:
    found = parse(event("SUMMARY:Primary", "ATTENDEE;CN=A:MAILTO:Anna@EXAMPLE.com", "ATTENDEE:mailto:ben@example.com"))
    assert held(found) == [("02 08:00", "02 16:00", "anna+ben")]
    assert found.shifts[0].name == "calendar"


def test_who_declined_is_not_on_call_and_without_attendees_the_summary_counts() -> None:
    declined = "ATTENDEE;PARTSTAT=DECLINED:mailto:anna@example.com"
    assert parse(event("SUMMARY:Ben@Example.com", declined)).shifts[0].people == ("ben",)


def test_names_are_matched_in_any_case_by_key_or_by_what_is_shown() -> None:
    found = parse(event("SUMMARY:[L2] ANNA alba / Ben"), match="name")
    assert found.shifts[0].people == ("anna", "ben")
    assert found.shifts[0].rank == 2


def test_whom_nobody_knows_is_told_and_no_shift() -> None:
    found = parse(event("SUMMARY:dora@example.com"), event("SUMMARY:anna@example.com", uid="two"))
    assert found.unknown == ("dora@example.com",)
    assert held(found) == [("02 08:00", "02 16:00", "anna")]


@pytest.mark.parametrize(
    "until", ["20260323T080000Z", "20260323T090000", "20260323"], ids=["utc", "without a zone", "a date"]
)
def test_the_last_of_a_series_is_there_however_until_is_written(until: str) -> None:
    found = parse(event("SUMMARY:anna@example.com", f"RRULE:FREQ=WEEKLY;UNTIL={until}"))
    assert begins(found) == ["03-02 08:00", "03-09 08:00", "03-16 08:00", "03-23 08:00"]


def test_a_series_keeps_its_time_on_the_wall_when_clocks_change() -> None:
    found = parse(event("SUMMARY:anna@example.com", "RRULE:FREQ=WEEKLY;BYDAY=MO"))
    assert begins(found)[3:6] == ["03-23 08:00", "03-30 07:00", "04-06 07:00"]


def test_whole_days_are_those_of_the_schedules_zone() -> None:
    several = event("SUMMARY:anna@example.com", "DTEND;VALUE=DATE:20260331", start=";VALUE=DATE:20260328")
    one = event("SUMMARY:ben@example.com", start=";VALUE=DATE:20260402", uid="two")
    same = event("SUMMARY:ben@example.com", "DTEND;VALUE=DATE:20260404", start=";VALUE=DATE:20260404", uid="three")
    assert held(parse(several, one, same)) == [
        ("27 23:00", "30 22:00", "anna"),
        ("01 22:00", "02 22:00", "ben"),
        ("03 22:00", "04 22:00", "ben"),
    ]
    assert held(parse(one, zone="UTC")) == [("02 00:00", "03 00:00", "ben")]


def test_a_floating_time_is_the_schedules() -> None:
    assert begins(parse(event("SUMMARY:anna@example.com", start=":20260302T090000"))) == ["03-02 08:00"]


def test_cancelled_events_and_cancelled_days_of_a_series_are_gone() -> None:
    gone = event("SUMMARY:anna@example.com", "STATUS:CANCELLED", uid="gone")
    series = event("SUMMARY:anna@example.com", "RRULE:FREQ=WEEKLY;COUNT=3")
    day = event(
        "SUMMARY:anna@example.com",
        "RECURRENCE-ID;TZID=Europe/Berlin:20260309T090000",
        "STATUS:CANCELLED",
        start=";TZID=Europe/Berlin:20260309T090000",
    )
    assert begins(parse(gone, series, day)) == ["03-02 08:00", "03-16 08:00"]


def test_events_that_share_a_uid_are_all_there_but_of_versions_the_newest() -> None:
    first = event("SUMMARY:anna@example.com")
    other = event("SUMMARY:ben@example.com", start=";TZID=Europe/Berlin:20260304T090000")
    assert [who for _, _, who in held(parse(first, other))] == ["anna", "ben"]
    newer = event("SUMMARY:ben@example.com", "SEQUENCE:3", start=";TZID=Europe/Berlin:20260305T090000")
    for order in ((first, newer), (newer, first)):
        assert held(parse(*order)) == [("05 08:00", "05 16:00", "ben")]


def test_events_at_once_are_held_together_and_a_higher_level_goes_before() -> None:
    low = event("SUMMARY:anna@example.com")
    beside = event("SUMMARY:ben@example.com", uid="two", start=";TZID=Europe/Berlin:20260302T130000", hours=2)
    assert held(parse(low, beside)) == [
        ("02 08:00", "02 12:00", "anna"),
        ("02 12:00", "02 14:00", "anna+ben"),
        ("02 14:00", "02 16:00", "anna"),
    ]
    above = beside.replace("SUMMARY:", "SUMMARY:[L1] ")
    imported = Schedule("s", imported=parse(low, above).shifts)
    assert on_call(imported, datetime(2026, 3, 2, 13, tzinfo=UTC)) == ("ben",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>login</html>", "an HTML page"),
        (b"\xef\xbb\xbf  <HTML>", "an HTML page"),
        (b"", "no calendar"),
        (b"BEGIN:VEVENT\r\nEND:VEVENT\r\n", "no calendar"),
        (b"BEGIN:VCALENDAR\r\nrubbish\r\n", "damaged"),
        (b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", "damaged"),
        (b"BEGIN:VCALENDAR\r\n" + b"X" * (8 * 1024 * 1024), "larger than 8 MiB"),
    ],
)
def test_what_is_no_calendar_is_refused_with_what_it_is(content: bytes, said: str) -> None:
    with pytest.raises(CalendarError, match=said):
        parse_calendar(content, WHO, "UTC", BEGIN, END)


def test_a_series_within_the_hour_is_left_out_and_a_bad_one_harms_no_other() -> None:
    bomb = event("SUMMARY:anna@example.com", "RRULE:FREQ=SECONDLY", uid="bomb")
    many = event("SUMMARY:anna@example.com", "RRULE:FREQ=DAILY;BYMINUTE=1,2,3;BYHOUR=1", uid="many")
    bad = event("SUMMARY:anna@example.com", "RRULE:FREQ=SOMETIMES", uid="bad")
    good = event("SUMMARY:ben@example.com", uid="good")
    assert [who for _, _, who in held(parse(bomb, many, bad, good))] == ["ben"]


def test_what_goes_out_comes_in_again() -> None:
    shift = Override(BEGIN + timedelta(hours=9), BEGIN + timedelta(hours=17), ("anna", "ben"))
    written = schedule_ics(Schedule("s", overrides=(shift,)), BEGIN, END)
    found = parse_calendar(written.replace(b" (s)", b""), WHO, "UTC", BEGIN, END, match="name")
    assert [(each.begin, each.end, each.people) for each in found.shifts] == [(shift.begin, shift.end, shift.people)]
