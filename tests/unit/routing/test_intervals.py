"""Time intervals: what they contain, by tables worked out on a calendar, and which routes they mute."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bridge.routing.entries import Entry
from bridge.routing.intervals import TimeInterval, contains, muted_by, next_change, unmuted_at
from bridge.routing.route import Route

BERLIN = ZoneInfo("Europe/Berlin")
SANTIAGO = ZoneInfo("America/Santiago")
APIA = ZoneInfo("Pacific/Apia")


def at(text: str) -> datetime:
    """UTC unless it says otherwise."""
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def interval(*entries: Entry, name: str = "i") -> TimeInterval:
    return TimeInterval(name, entries)


NIGHT = Entry(times=((0, 360), (1320, 1440)))
WORKDAYS = Entry(weekdays=((1, 5),))
OFFICE = Entry(weekdays=((1, 5),), times=((540, 1020),), zone=BERLIN)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        (Entry(), ["2026-11-28T12:00", "0101-01-01T00:00"], []),
        (Entry(times=()), [], ["2026-11-28T12:00"]),
        (Entry(weekdays=()), [], ["2026-11-28T12:00"]),
        (Entry(times=((0, 1440),)), ["2026-11-28T00:00", "2026-11-28T23:59:59.999999"], []),
        (
            NIGHT,
            ["2026-11-28T00:00", "2026-11-28T05:59:59", "2026-11-28T22:00", "2026-11-28T23:59:59"],
            ["2026-11-28T06:00", "2026-11-28T21:59:59"],
        ),
        (WORKDAYS, ["2026-11-23T00:00", "2026-11-27T23:59"], ["2026-11-22T23:59", "2026-11-28T00:00"]),
        (Entry(weekdays=((0, 0),)), ["2026-11-29T12:00"], ["2026-11-28T12:00", "2026-11-30T00:00"]),
        (Entry(weekdays=((6, 6), (0, 0))), ["2026-11-28T12:00", "2026-11-29T12:00"], ["2026-11-27T12:00"]),
        (Entry(days_of_month=((1, 1),)), ["2026-11-01T00:00"], ["2026-11-02T00:00", "2026-10-31T23:59"]),
        (Entry(days_of_month=((-1, -1),)), ["2026-11-30T12:00", "2026-12-31T12:00"], ["2026-11-29T23:59"]),
        (Entry(days_of_month=((-1, -1),)), ["2026-02-28T12:00", "2028-02-29T12:00"], ["2028-02-28T12:00"]),
        (
            Entry(days_of_month=((-3, -1),)),
            ["2026-04-28T00:00", "2026-04-30T23:59"],
            ["2026-04-27T23:59", "2026-05-01T00:00"],
        ),
        (Entry(days_of_month=((31, 31),)), ["2026-05-31T12:00"], ["2026-04-30T12:00", "2026-05-01T12:00"]),
        (Entry(days_of_month=((30, 31),)), ["2026-04-30T12:00"], ["2026-02-28T12:00", "2026-03-01T12:00"]),
        (Entry(days_of_month=((29, 31),)), ["2028-02-29T12:00"], ["2026-02-28T12:00"]),
        (Entry(days_of_month=((28, 31),)), ["2026-02-28T12:00"], ["2026-02-27T12:00"]),
        (Entry(days_of_month=((1, -1),)), ["2026-02-01T00:00", "2026-02-28T23:59"], []),
        (Entry(days_of_month=((1, -2),)), ["2026-02-27T00:00"], ["2026-02-28T00:00"]),
        (Entry(days_of_month=((25, -1),)), ["2026-02-25T00:00", "2026-12-31T00:00"], ["2026-02-24T00:00"]),
        (Entry(days_of_month=((28, -4),)), ["2026-12-28T12:00"], ["2026-12-29T12:00", "2026-02-28T12:00"]),
        (Entry(days_of_month=((-31, -1),)), ["2026-02-01T12:00", "2026-02-28T12:00"], []),
        (Entry(days_of_month=((-31, -31),)), ["2026-12-01T12:00"], ["2026-02-01T12:00", "2026-11-01T12:00"]),
        (Entry(days_of_month=((-31, -30),)), ["2026-11-01T12:00", "2026-12-02T12:00"], ["2026-11-02T12:00"]),
        (Entry(days_of_month=((1, -31),)), ["2026-12-01T12:00"], ["2026-11-01T12:00", "2026-12-02T12:00"]),
        (Entry(months=((12, 12),)), ["2026-12-01T00:00"], ["2026-11-30T23:59", "2027-01-01T00:00"]),
        (Entry(months=((1, 3), (8, 8))), ["2026-01-01T00:00", "2026-03-31T23:59", "2026-08-15T00:00"], ["2026-04-01T00:00"]),
        (Entry(years=((2026, 2028),)), ["2026-01-01T00:00", "2028-12-31T23:59"], ["2025-12-31T23:59", "2029-01-01T00:00"]),
        (
            Entry(years=((2026, 2026),), months=((11, 11),), weekdays=((6, 6),), times=((720, 780),)),
            ["2026-11-28T12:30"],
            ["2026-11-28T13:00", "2026-11-27T12:30", "2026-12-05T12:30", "2027-11-27T12:30"],
        ),
        (OFFICE, ["2026-07-01T07:00", "2026-07-01T14:59", "2026-12-01T08:00"], ["2026-07-01T15:00", "2026-12-01T07:59"]),
        (OFFICE, ["2026-07-01T09:00+02:00", "2026-07-01T16:59+09:00"], ["2026-07-01T15:59+09:00"]),
        (Entry(years=((2027, 2027),), zone=BERLIN), ["2026-12-31T23:00"], ["2026-12-31T22:59", "2027-12-31T23:00"]),
        (Entry(days_of_month=((-1, -1),), zone=APIA), ["2026-11-29T11:00"], ["2026-11-29T10:59", "2026-11-30T11:00"]),
        # The clocks of Berlin go from 02:00 to 03:00, and in autumn from 03:00 to 02:00.
        (Entry(times=((120, 180),), zone=BERLIN), [], ["2026-03-29T00:59:59", "2026-03-29T01:00"]),
        (Entry(times=((180, 181),), zone=BERLIN), ["2026-03-29T01:00"], ["2026-03-29T02:00"]),
        (
            Entry(times=((120, 180),), zone=BERLIN),
            ["2026-10-25T00:00", "2026-10-25T00:59", "2026-10-25T01:00", "2026-10-25T01:59"],
            ["2026-10-24T23:59", "2026-10-25T02:00"],
        ),
    ],
)  # fmt: skip
def test_an_entry_contains_what_its_conditions_say(entry: Entry, inside: list[str], outside: list[str]) -> None:
    assert [moment for moment in inside if not contains(interval(entry), at(moment))] == []
    assert [moment for moment in outside if contains(interval(entry), at(moment))] == []


def test_an_interval_contains_what_one_of_its_entries_does() -> None:
    both = interval(Entry(times=((0, 60),)), Entry(times=((600, 660),), zone=BERLIN))
    assert contains(both, at("2026-11-28T00:30"))
    assert contains(both, at("2026-11-28T09:30"))
    assert not contains(both, at("2026-11-28T10:30"))
    assert not contains(interval(), at("2026-11-28T00:30"))


@pytest.mark.parametrize(
    ("entries", "moment", "change"),
    [
        ([NIGHT], "2026-11-28T12:00", "2026-11-28T22:00"),
        ([NIGHT], "2026-11-28T22:00", "2026-11-29T06:00"),
        ([NIGHT], "2026-11-28T05:59:59.999999", "2026-11-28T06:00"),
        ([NIGHT], "2026-11-28T06:00", "2026-11-28T22:00"),
        ([WORKDAYS], "2026-11-28T12:00", "2026-11-30T00:00"),
        ([WORKDAYS], "2026-11-30T00:00", "2026-12-05T00:00"),
        ([OFFICE], "2026-03-27T16:00", "2026-03-30T07:00"),
        ([OFFICE], "2026-10-23T15:00", "2026-10-26T08:00"),
        ([Entry(days_of_month=((-1, -1),))], "2026-02-01T00:00", "2026-02-28T00:00"),
        ([Entry(days_of_month=((29, 29),), months=((2, 2),))], "2026-02-01T00:00", "2028-02-29T00:00"),
        ([Entry(months=((12, 12),), zone=BERLIN)], "2026-01-02T00:00", "2026-11-30T23:00"),
        ([Entry(years=((2033, 2033),), zone=BERLIN)], "2026-11-28T00:00", "2032-12-31T23:00"),
        ([Entry(years=((2020, 2020),))], "2026-11-28T00:00", None),
        ([Entry(years=((2040, 2040),))], "2026-11-28T00:00", None),
        ([Entry(years=((2020, 2200),))], "2026-11-28T00:00", None),
        ([], "2026-11-28T00:00", None),
        ([Entry()], "2026-11-28T00:00", None),
        ([Entry(), NIGHT], "2026-11-28T00:00", None),
        ([WORKDAYS, Entry(weekdays=((6, 6), (0, 0)))], "2026-11-28T00:00", None),
        ([NIGHT, Entry(times=((360, 1320),))], "2026-11-28T00:00", None),
        ([Entry(times=((0, 60),)), Entry(times=((60, 120),))], "2026-11-28T00:30", "2026-11-28T02:00"),
        # An hour later in UTC, another zone takes over.
        ([Entry(times=((0, 60),), zone=BERLIN), Entry(times=((0, 60),))], "2026-11-27T23:30", "2026-11-28T01:00"),
        # What begins and ends in the skipped hour is left out; what reaches out of it is cut.
        ([Entry(times=((130, 170),), zone=BERLIN)], "2026-03-28T12:00", "2026-03-30T00:10"),
        ([Entry(times=((150, 210),), zone=BERLIN)], "2026-03-28T12:00", "2026-03-29T01:00"),
        ([Entry(times=((90, 150),), zone=BERLIN)], "2026-03-29T00:45", "2026-03-29T01:00"),
        # What lies in the doubled hour comes twice.
        ([Entry(times=((130, 170),), zone=BERLIN)], "2026-10-25T00:00", "2026-10-25T00:10"),
        ([Entry(times=((130, 170),), zone=BERLIN)], "2026-10-25T00:50", "2026-10-25T01:10"),
        ([Entry(times=((130, 180),), zone=BERLIN)], "2026-10-25T00:50", "2026-10-25T01:00"),
        ([Entry(times=((120, 180),), zone=BERLIN)], "2026-10-25T00:50", "2026-10-25T02:00"),
        # In Santiago midnight itself is skipped in spring; in autumn the last hour of a day comes twice.
        ([Entry(days_of_month=((6, 6),), months=((9, 9),), zone=SANTIAGO)], "2026-09-05T12:00", "2026-09-06T04:00"),
        ([Entry(times=((0, 30),), zone=SANTIAGO)], "2026-09-05T12:00", "2026-09-07T03:00"),
        ([Entry(times=((1410, 1440),), zone=SANTIAGO)], "2026-04-05T02:45", "2026-04-05T03:00"),
        ([Entry(times=((1410, 1440),), zone=SANTIAGO)], "2026-04-05T03:00", "2026-04-05T03:30"),
        # Apia had no 30 December 2011.
        ([Entry(days_of_month=((30, 30),), zone=APIA)], "2011-12-28T12:00", "2012-01-29T10:00"),
        ([Entry(days_of_month=((29, 30),), zone=APIA)], "2011-12-29T12:00", "2011-12-30T10:00"),
    ],
)  # fmt: skip
def test_the_next_change_is_the_first_moment_at_which_the_answer_is_another(
    entries: list[Entry], moment: str, change: str | None
) -> None:
    expected = None if change is None else at(change)
    assert next_change([interval(*entries)], at(moment)) == expected
    assert next_change([interval(entry) for entry in entries], at(moment)) == expected


def test_there_is_no_change_after_the_last_day_that_can_be_written() -> None:
    assert next_change([interval(NIGHT)], at("9999-12-31T23:59")) is None


INTERVALS = {
    "night": interval(NIGHT, name="night"),
    "workdays": interval(WORKDAYS, name="workdays"),
    "office": interval(Entry(weekdays=((1, 5),), times=((540, 1020),)), name="office"),
    "never": interval(name="never"),
}


def route(mute: tuple[str, ...] = (), active: tuple[str, ...] = ()) -> Route:
    return Route(id="r", receiver="r", mute_time_intervals=mute, active_time_intervals=active)


@pytest.mark.parametrize(
    ("mute", "active", "moment", "by", "until"),
    [
        ((), (), "2026-11-28T12:00", (), "2026-11-28T12:00"),
        (("night", "workdays"), (), "2026-11-28T12:00", (), "2026-11-28T12:00"),
        (("night", "workdays"), (), "2026-11-30T12:00", ("workdays",), "2026-12-05T06:00"),
        (("workdays", "night"), (), "2026-11-30T23:00", ("workdays", "night"), "2026-12-05T06:00"),
        ((), ("office",), "2026-11-27T16:59", (), "2026-11-27T16:59"),
        ((), ("office",), "2026-11-27T17:00", ("office",), "2026-11-30T09:00"),
        ((), ("office", "night"), "2026-11-27T18:00", ("office", "night"), "2026-11-27T22:00"),
        (("night",), ("workdays",), "2026-11-28T23:00", ("workdays",), "2026-11-30T06:00"),
        (("night",), ("workdays",), "2026-11-30T05:00", ("night",), "2026-11-30T06:00"),
        ((), ("never",), "2026-11-30T05:00", ("never",), None),
        (("workdays",), ("workdays",), "2026-11-30T05:00", ("workdays",), None),
    ],
)
def test_a_route_is_muted_outside_its_active_intervals_and_within_its_mute_intervals(
    mute: tuple[str, ...], active: tuple[str, ...], moment: str, by: tuple[str, ...], until: str | None
) -> None:
    assert muted_by(route(mute, active), INTERVALS, at(moment)) == by
    assert unmuted_at(route(mute, active), INTERVALS, at(moment)) == (None if until is None else at(until))


def test_a_mute_interval_of_a_parent_is_not_its_childs() -> None:
    child = route()
    parent = Route(id="p", receiver="p", mute_time_intervals=("workdays",), routes=(child,))
    monday = at("2026-11-30T12:00")
    assert muted_by(parent, INTERVALS, monday)
    assert not muted_by(child, INTERVALS, monday)


def test_an_interval_that_nobody_defined_is_an_error() -> None:
    with pytest.raises(KeyError, match="other"):
        muted_by(route(("other",)), INTERVALS, at("2026-11-30T12:00"))


def test_a_route_that_several_intervals_mute_in_turn_is_never_unmuted() -> None:
    morning, evening = interval(Entry(times=((0, 780),))), interval(Entry(times=((720, 1440),), zone=BERLIN))
    late = interval(Entry(times=((1320, 1440),)))  # Berlin's day ends at 22:00 or 23:00 UTC
    intervals = {"morning": morning, "evening": evening, "late": late}
    assert unmuted_at(route(("morning", "evening", "late")), intervals, at("2026-11-30T12:00")) is None
    assert unmuted_at(route(("morning", "evening")), intervals, at("2026-11-30T12:00")) == at("2026-11-30T23:00")
