"""Who is on call: whose turn it is, what layers, restrictions and overrides do to it, where nobody is, who is twice."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.domain.schedules import (
    EVERY_DAY,
    Days,
    Every,
    Hours,
    Layer,
    Oddity,
    Overlap,
    Override,
    Rotation,
    Schedule,
    Shift,
    Weekdays,
    Weeks,
    Window,
    gaps,
    odd_handoffs,
    on_call,
    overlaps,
    shifts,
)

BERLIN = "Europe/Berlin"
MONDAY = date(2026, 3, 2)
NINE = 9 * 60
WORKDAYS = frozenset(range(5))
THREE = (("anna",), ("ben",), ("cem",))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def layer(every: Every | None = None, people: tuple[tuple[str, ...], ...] = THREE, **changes: object) -> Layer:
    rotation = Rotation(every or Days(), MONDAY, NINE)
    return Layer(**{"name": "first", "rotation": rotation, "people": people, "zone": "UTC"} | changes)


def schedule(*layers: Layer, **changes: object) -> Schedule:
    return Schedule(**{"name": "payments", "layers": layers} | changes)


def who(found: Schedule, *moments: str) -> list[str]:
    return ["+".join(on_call(found, utc(moment))) for moment in moments]


def test_the_start_anchors_whose_turn_it_is_and_nobody_is_on_call_before() -> None:
    daily = schedule(layer())
    assert who(daily, "2026-03-02T08:59", "2026-03-02T09:00", "2026-03-03T08:59", "2026-03-03T09:00") == [
        "", "anna", "anna", "ben",
    ]  # fmt: skip
    assert who(daily, "2026-03-04T09:00", "2026-03-05T09:00") == ["cem", "anna"]


def test_a_start_within_the_week_makes_the_first_turn_short() -> None:
    weekly = schedule(layer(Weeks(1, weekday=2)))  # Wednesday
    found = shifts(weekly, utc("2026-03-02"), utc("2026-03-12"))
    assert [(shift.begin, shift.people) for shift in found] == [
        (utc("2026-03-02T09:00"), ("anna",)),
        (utc("2026-03-04T09:00"), ("ben",)),
        (utc("2026-03-11T09:00"), ("cem",)),
    ]


@pytest.mark.parametrize(("keeps", "weekend"), [(True, "ben"), (False, "")])
def test_on_weekdays_the_weekend_is_fridays_or_nobodys_and_takes_no_turn(keeps: bool, weekend: str) -> None:
    found = schedule(layer(Weekdays(keeps_weekend=keeps)))  # Mon anna, Tue ben, Wed cem, Thu anna, Fri ben
    moments = ("2026-03-06T12:00", "2026-03-07T08:59", "2026-03-07T09:00", "2026-03-09T08:59", "2026-03-09T09:00")
    assert who(found, *moments) == ["ben", "ben", weekend, weekend, "cem"]


def test_weekdays_that_start_on_a_weekend_start_on_monday() -> None:
    found = schedule(layer(Weekdays(), rotation=Rotation(Weekdays(), date(2026, 3, 7), NINE)))
    assert who(found, "2026-03-08T12:00", "2026-03-09T08:59", "2026-03-09T09:00", "2026-03-10T09:00") == [
        "", "", "anna", "ben",
    ]  # fmt: skip


def test_hours_do_not_follow_the_clock() -> None:
    found = schedule(layer(Hours(12), zone=BERLIN, rotation=Rotation(Hours(12), date(2026, 3, 28), NINE)))
    begins = [shift.begin for shift in shifts(found, utc("2026-03-28T08:00"), utc("2026-03-30T00:00"))]
    assert begins == [utc("2026-03-28T08:00") + number * timedelta(hours=12) for number in range(4)]


def test_several_people_of_one_turn_are_on_call_together() -> None:
    assert who(schedule(layer(people=(("anna", "ben"), ("cem",)))), "2026-03-02T12:00", "2026-03-03T12:00") == [
        "anna+ben", "cem",
    ]  # fmt: skip


def test_a_later_layer_wins_where_it_has_somebody() -> None:
    nights = layer(name="nights", people=(("nina",),), windows=(Window(22 * 60, 6 * 60),))
    found = schedule(layer(), nights)
    assert who(found, "2026-03-02T21:59", "2026-03-02T22:00", "2026-03-03T05:59", "2026-03-03T06:00") == [
        "anna", "nina", "nina", "anna",
    ]  # fmt: skip
    ending = schedule(layer(), layer(name="cover", people=(("nina",),), until=utc("2026-03-03T00:00")))
    assert who(ending, "2026-03-02T23:59", "2026-03-03T00:00") == ["nina", "anna"]


def test_a_night_belongs_to_the_weekday_on_which_it_begins() -> None:
    found = schedule(layer(people=(("nina",),), windows=(Window(22 * 60, 6 * 60, WORKDAYS),)))
    assert who(found, "2026-03-06T23:00", "2026-03-07T05:59", "2026-03-07T23:00", "2026-03-09T05:00") == [
        "nina", "nina", "", "",
    ]  # fmt: skip


def test_restrictions_keep_to_the_clock_when_it_changes() -> None:
    found = schedule(layer(people=(("anna",),), zone=BERLIN, windows=(Window(8 * 60, 17 * 60),)))
    spans = [(shift.begin, shift.end) for shift in shifts(found, utc("2026-03-28"), utc("2026-03-30"))]
    pieces = [(begin.strftime("%d %H:%M"), end.strftime("%d %H:%M")) for begin, end in spans]
    assert pieces == [
        ("28 07:00", "28 08:00"),  # up to the hand-off at nine
        ("28 08:00", "28 16:00"),
        ("29 06:00", "29 07:00"),
        ("29 07:00", "29 15:00"),
    ]


def test_overrides_win_over_all_and_the_later_of_two() -> None:
    cover = Override(utc("2026-03-02T12:00"), utc("2026-03-02T18:00"), ("olga",))
    again = Override(utc("2026-03-02T15:00"), utc("2026-03-02T16:00"), ("pia",))
    found = schedule(layer(), layer(name="second"), overrides=(cover, again))
    moments = ("2026-03-02T11:59", "2026-03-02T12:00", "2026-03-02T15:00", "2026-03-02T16:00", "2026-03-02T18:00")
    assert who(found, *moments) == ["anna", "olga", "pia", "olga", "anna"]
    layers = [shift.layer for shift in shifts(found, utc("2026-03-02T09:00"), utc("2026-03-03T09:00"))]
    assert layers == ["second", "override", "override", "override", "second"]


def test_imported_shifts_are_below_every_layer_and_a_higher_rank_wins_among_them() -> None:
    low = Override(utc("2026-03-02T00:00"), utc("2026-03-03T00:00"), ("low",), "calendar", rank=1)
    high = Override(utc("2026-03-02T06:00"), utc("2026-03-02T12:00"), ("high",), "calendar", rank=2)
    found = schedule(layer(), imported=(high, low))
    assert who(found, "2026-03-02T05:00", "2026-03-02T08:00", "2026-03-02T10:00") == ["low", "high", "anna"]


def test_a_shift_is_whole_where_only_a_part_of_it_is_asked_for() -> None:
    found = schedule(layer(Weeks()), overrides=(Override(utc("2026-03-04"), utc("2026-03-05"), ("olga",)),))
    assert shifts(found, utc("2026-03-05T01:00"), utc("2026-03-05T02:00")) == (
        Shift(utc("2026-03-05"), utc("2026-03-09T09:00"), ("anna",), "first"),
    )


def test_a_shift_that_a_layer_of_shorter_turns_cuts_is_whole_where_one_asks_for_a_moment_of_it() -> None:
    days = layer(
        name="office",
        people=(("olga",), ("pia",)),
        rotation=Rotation(Days(), MONDAY, 0),
        windows=(Window(8 * 60, 18 * 60),),
    )
    found = shifts(schedule(layer(Weeks()), days), utc("2026-03-04T03:00"), utc("2026-03-04T03:01"))
    assert found == (Shift(utc("2026-03-03T18:00"), utc("2026-03-04T08:00"), ("anna",), "first"),)


def test_gaps_are_where_nobody_is_on_call() -> None:
    office = schedule(layer(people=(("anna",),), windows=(Window(NINE, 17 * 60, WORKDAYS),)))
    assert gaps(office, utc("2026-03-06T10:00"), utc("2026-03-09T12:00")) == (
        (utc("2026-03-06T17:00"), utc("2026-03-09T09:00")),
    )
    assert gaps(schedule(), utc("2026-03-06"), utc("2026-03-07")) == ((utc("2026-03-06"), utc("2026-03-07")),)
    assert gaps(schedule(layer()), utc("2026-03-06"), utc("2026-03-07")) == ()


def test_overlaps_are_one_person_on_two_schedules_at_once() -> None:
    one, two = schedule(layer()), schedule(layer(people=(("ben",), ("anna",))), name="search")
    assert overlaps((one, two), utc("2026-03-03T09:00"), utc("2026-03-09T09:00")) == (
        Overlap("anna", ("payments", "search"), utc("2026-03-05T09:00"), utc("2026-03-06T09:00")),
        Overlap("ben", ("payments", "search"), utc("2026-03-06T09:00"), utc("2026-03-07T09:00")),
    ), "every third day here and every second there"


def test_hand_offs_at_hours_that_clocks_skip_or_show_twice_are_found() -> None:
    early = layer(rotation=Rotation(Days(), MONDAY, 150), zone=BERLIN)
    assert odd_handoffs(schedule(early), utc("2026-03-02"), utc("2027-03-02")) == (
        (utc("2026-03-29T01:00"), "first", Oddity.MISSING),
        (utc("2026-10-25T00:30"), "first", Oddity.TWICE),
    )
    assert odd_handoffs(schedule(layer(zone=BERLIN)), utc("2026-03-02"), utc("2027-03-02")) == ()


hours = st.integers(0, 24 * 60).map(lambda number: utc("2026-03-01") + timedelta(hours=number))
names = st.sampled_from(("anna", "ben", "cem", "dora"))
turns_of_people = st.lists(st.lists(names, min_size=1, max_size=2).map(tuple), min_size=1, max_size=3).map(tuple)
everies = st.one_of(
    st.builds(Days, st.integers(1, 4)),
    st.builds(Weeks, st.integers(1, 2), st.integers(0, 6)),
    st.builds(Weekdays, st.booleans()),
    st.builds(Hours, st.integers(1, 40)),
)
windows = st.lists(
    st.builds(
        Window,
        st.integers(0, 1439),
        st.integers(1, 1440),
        st.frozensets(st.sampled_from(sorted(EVERY_DAY)), min_size=1),
    ),
    max_size=2,
).map(tuple)
some_layers = st.lists(
    st.builds(
        Layer,
        name=st.sampled_from("xyz"),
        rotation=st.builds(Rotation, everies, st.dates(date(2026, 2, 1), date(2026, 4, 1)), st.integers(0, 1439)),
        people=turns_of_people,
        zone=st.sampled_from((BERLIN, "America/Santiago", "UTC")),
        windows=windows,
        until=st.none() | hours,
    ),
    max_size=3,
).map(tuple)
some_overrides = st.lists(
    st.builds(Override, hours, hours, st.lists(names, min_size=1, max_size=1).map(tuple), rank=st.integers(0, 1)),
    max_size=4,
).map(tuple)


@settings(max_examples=120, deadline=None)
@given(layers=some_layers, overrides=some_overrides, imported=some_overrides, at=hours)
def test_one_moment_is_decided_by_the_first_that_has_somebody_from_the_top(
    layers: tuple[Layer, ...], overrides: tuple[Override, ...], imported: tuple[Override, ...], at: datetime
) -> None:
    found = schedule(*layers, overrides=overrides, imported=imported)
    expected: tuple[str, ...] = ()
    for listed in (imported, *layers, overrides):
        if isinstance(listed, Layer):
            expected = on_call(schedule(listed), at) or expected
            continue
        holding = [(each.rank, index) for index, each in enumerate(listed) if each.begin <= at < each.end]
        expected = listed[max(holding)[1]].people if holding else expected
    assert on_call(found, at) == expected


@settings(max_examples=80, deadline=None)
@given(layers=some_layers, overrides=some_overrides, begin=hours, days=st.integers(1, 40))
def test_shifts_and_gaps_together_are_the_whole_time_once(
    layers: tuple[Layer, ...], overrides: tuple[Override, ...], begin: datetime, days: int
) -> None:
    found = schedule(*layers, overrides=overrides)
    end = begin + timedelta(days=days)
    held = [(max(begin, shift.begin), min(end, shift.end)) for shift in shifts(found, begin, end)]
    pieces = sorted([*held, *gaps(found, begin, end)])
    assert pieces[0][0] == begin
    assert pieces[-1][1] == end
    assert all(earlier[1] == later[0] for earlier, later in pairwise(pieces))
    assert all(opens < closes for opens, closes in pieces)


@settings(max_examples=80, deadline=None)
@given(layers=some_layers, overrides=some_overrides, imported=some_overrides, begin=hours, days=st.integers(1, 9))
def test_shifts_are_the_same_whole_ones_however_much_of_the_time_is_looked_at(
    layers: tuple[Layer, ...],
    overrides: tuple[Override, ...],
    imported: tuple[Override, ...],
    begin: datetime,
    days: int,
) -> None:
    found = schedule(*layers, overrides=overrides, imported=imported)
    end = begin + timedelta(days=days)
    far = shifts(found, begin - timedelta(days=200), end + timedelta(days=200))
    assert shifts(found, begin, end) == tuple(shift for shift in far if shift.begin < end and shift.end > begin)
