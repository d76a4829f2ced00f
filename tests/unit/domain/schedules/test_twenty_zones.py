"""Twenty zones for ten years against `zoneinfo`: hand-offs keep their time on the wall, whatever clocks do.

The rule in other words, so that it is not the code's: a hand-off is the first moment at which the clock shows its time or
a later one.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from bridge.domain.schedules import Days, Every, Hours, Layer, Rotation, Schedule, Weekdays, Weeks, shifts
from bridge.domain.schedules.rotation import Turn, turns

ZONES = (
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/Asuncion",
    "America/Caracas",
    "America/Havana",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Amman",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Lisbon",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "UTC",
)
BEGIN, END = datetime(2011, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
START = date(2010, 12, 27)
MONDAY, SUNDAY = 0, 6
BEFORE = (timedelta(seconds=1), timedelta(hours=1))


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None)


def is_first_at_or_after(at: datetime, shown: datetime, zone: ZoneInfo) -> bool:
    return wall(at, zone) >= shown and all(wall(at - span, zone) < shown for span in BEFORE)


@cache
def days(every: Every) -> list[date]:
    """The dates of hand-offs, by stepping over every single day."""
    found = []
    day = START
    number = 0
    while day < END.date() + timedelta(days=40):
        match every:
            case Days(count):
                hit = number % count == 0
            case Weeks(count, weekday):
                hit = day == START or (day.weekday() == weekday and (day - date(2010, 12, 26)).days // 7 % count == 0)
            case _:
                hit = day.weekday() < 5
        if hit:
            found.append(day)
        day += timedelta(days=1)
        number += 1
    return found


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize(
    ("every", "minute"),
    [
        (Days(1), 150),
        (Days(5), 0),
        (Weeks(1, MONDAY), 540),
        (Weeks(1, SUNDAY), 150),
        (Weeks(2, SUNDAY), 0),
        (Weekdays(), 90),
    ],
    ids=str,
)
def test_every_hand_off_is_at_its_time_on_the_wall_or_where_the_rule_puts_it(
    name: str, every: Every, minute: int
) -> None:
    zone = ZoneInfo(name)
    rotation = Rotation(every, START, minute)
    found = list(turns(rotation, zone, BEGIN, END))
    dates = days(every)
    shown_at = time(minute // 60, minute % 60)
    previous: Turn | None = None
    for turn in found:
        shown = datetime.combine(dates[turn.number], shown_at)
        assert is_first_at_or_after(turn.begin, shown, zone), turn
        if previous is not None:
            assert turn.begin == previous.end, "neither gap nor overlap"
            assert turn.number > previous.number
        previous = turn
    assert found[0].begin <= BEGIN
    assert found[-1].end >= END


def test_there_were_missing_and_doubled_hours_among_them() -> None:
    """So that the table above is known to have looked at some."""
    missing = twice = 0
    for name in ZONES:
        zone = ZoneInfo(name)
        for turn in turns(Rotation(Weeks(1, SUNDAY), START, 150), zone, BEGIN, END):
            shown = wall(turn.begin, zone)
            missing += shown.time() != time(2, 30)
            twice += any(wall(turn.begin + span, zone) == shown for span in (timedelta(minutes=30), timedelta(hours=1)))
    assert missing > 20, missing
    assert twice > 20, twice


@pytest.mark.parametrize("name", ZONES)
def test_a_weekend_that_nobody_keeps_is_from_saturday_to_monday_at_the_time_on_the_wall(name: str) -> None:
    zone = ZoneInfo(name)
    rotation = Rotation(Weekdays(keeps_weekend=False), START, 540)
    found = list(turns(rotation, zone, BEGIN, END))
    dates = days(rotation.every)
    for turn, following in pairwise(found):
        friday = dates[turn.number].weekday() == 4
        ends = datetime.combine(dates[turn.number] + timedelta(days=1), time(9))
        assert is_first_at_or_after(turn.end, ends, zone), "a zone may skip a whole Friday"
        assert (following.begin > turn.end) is friday


@pytest.mark.parametrize("name", ["Europe/Berlin", "Pacific/Apia"])
def test_hours_are_elapsed_time(name: str) -> None:
    found = list(turns(Rotation(Hours(8), START, 540), ZoneInfo(name), BEGIN, BEGIN + timedelta(days=365)))
    assert {turn.end - turn.begin for turn in found} == {timedelta(hours=8)}
    assert [turn.number for turn in found] == list(range(found[0].number, found[-1].number + 1))


@pytest.mark.parametrize("name", ZONES)
def test_the_shifts_of_a_year_fit_together_in_parts_as_in_whole(name: str) -> None:
    layer = Layer("week", Rotation(Weeks(1, SUNDAY), START, 150), (("anna",), ("ben",), ("cem",)), name)
    schedule = Schedule("s", name, (layer,))
    whole = shifts(schedule, BEGIN, BEGIN + timedelta(days=366))
    assert all(earlier.end == later.begin for earlier, later in pairwise(whole))
    parts = [
        shift
        for number in range(0, 365, 3)
        for shift in shifts(schedule, BEGIN + number * timedelta(days=1), BEGIN + (number + 3) * timedelta(days=1))
    ]
    assert tuple(dict.fromkeys(parts)) == whole, "a shift is the same wherever one looks from"
