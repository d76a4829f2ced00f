"""`contains` agrees with a second implementation, and `next_change` with a look at every minute, where clocks change too."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from bridge.routing.entries import Entry, Range
from bridge.routing.intervals import TimeInterval, contains, next_change, unmuted_at
from bridge.routing.route import Route

MINUTE = timedelta(minutes=1)
DAYS = 2
CHANGES = {
    "Europe/Berlin": ("2026-03-29T01:00", "2026-10-25T01:00"),
    "America/New_York": ("2026-03-08T07:00", "2026-11-01T06:00"),
    "Australia/Lord_Howe": ("2026-04-04T15:00", "2026-10-03T15:30"),  # half an hour
    "America/Santiago": ("2026-04-05T03:00", "2026-09-06T04:00"),  # at midnight
    "America/St_Johns": ("2010-03-14T03:31", "2010-11-07T02:31"),  # a minute after midnight
    "Pacific/Apia": ("2011-12-30T10:00",),  # a whole day
    "Asia/Kathmandu": ("2026-02-28T18:15",),  # none, but a quarter of an hour off
    "UTC": ("2026-12-31T00:00", "2028-02-29T00:00"),
}
PLACES = [(zone, datetime.fromisoformat(text).replace(tzinfo=UTC)) for zone, texts in CHANGES.items() for text in texts]


def ranges(first: int, last: int) -> SearchStrategy[tuple[Range, ...] | None]:
    pair = st.tuples(st.integers(first, last), st.integers(first, last)).map(lambda two: (min(two), max(two)))
    return st.none() | st.lists(pair, max_size=2).map(tuple)


TIMES = st.none() | st.lists(
    st.tuples(st.integers(0, 1439) | st.sampled_from((0, 1, 60, 120, 150, 180, 1380)), st.integers(1, 240)).map(
        lambda two: (two[0], min(1440, two[0] + two[1]))
    ),
    max_size=3,
).map(tuple)
MONTH_DAYS = st.none() | st.lists(
    st.tuples(*(st.integers(-31, 31).filter(bool),) * 2).filter(lambda two: not two[0] < 0 < two[1]), max_size=2
).map(tuple)


def entries(zone: SearchStrategy[str]) -> SearchStrategy[Entry]:
    return st.builds(
        Entry,
        times=TIMES,
        weekdays=st.none() | ranges(0, 6),
        days_of_month=st.none() | MONTH_DAYS,
        months=st.none() | st.none() | ranges(1, 12),
        years=st.none() | st.none() | st.just(((2026, 2026),)) | st.just(((2010, 2011), (2027, 2040))),
        zone=zone.map(ZoneInfo),
    )


ANYWHERE = st.sampled_from(tuple(CHANGES))


def naive(entry: Entry, at: datetime) -> bool:
    """By sets of everything that is allowed."""
    local = datetime.fromtimestamp(at.timestamp(), entry.zone)
    length = calendar.monthrange(local.year, local.month)[1]
    if entry.times is not None and local.strftime("%H:%M") not in {
        f"{minute // 60:02}:{minute % 60:02}" for start, end in entry.times for minute in range(start, end)
    }:
        return False
    if entry.days_of_month is not None:
        numbers = list(range(1, length + 1))
        allowed: set[int] = set()
        for first, last in entry.days_of_month:
            begin = first - 1 if first > 0 else max(first + length, 0)
            end = last if last > 0 else last + length + 1
            allowed |= set(numbers[begin : max(end, 0)])
        if local.day not in allowed:
            return False
    for conditions, value in (
        (entry.months, local.month),
        (entry.years, local.year),
        (entry.weekdays, int(local.strftime("%w"))),
    ):
        if conditions is not None and value not in {n for first, last in conditions for n in range(first, last + 1)}:
            return False
    return True


@given(entries(ANYWHERE), st.datetimes(datetime(2009, 1, 1), datetime(2032, 1, 1)))  # noqa: DTZ001 - hypothesis adds the zone
@settings(max_examples=200)
def test_an_entry_contains_what_a_naive_reading_does(entry: Entry, moment: datetime) -> None:
    at = moment.replace(tzinfo=UTC)
    assert contains(TimeInterval("i", (entry,)), at) is naive(entry, at)


@st.composite
def near_changes(draw: st.DrawFn) -> tuple[list[Entry], datetime]:
    zone, change = draw(st.sampled_from(PLACES))
    found = draw(st.lists(entries(st.just(zone)) | entries(ANYWHERE), min_size=1, max_size=3))
    return found, change + timedelta(seconds=draw(st.integers(-2 * 86400, 7200)))


def scanned(interval: TimeInterval, at: datetime) -> datetime | None:
    """The first whole minute at which the answer is another one."""
    now = contains(interval, at)
    minute = at.replace(second=0, microsecond=0) + MINUTE
    for _ in range(DAYS * 1440):
        if contains(interval, minute) is not now:
            return minute
        minute += MINUTE
    return None


@given(near_changes())
@settings(max_examples=60, deadline=None)
@example(
    ([Entry(times=((1410, 1440),), zone=ZoneInfo("America/St_Johns"))], datetime(2010, 11, 7, 2, 29, 30, tzinfo=UTC))
)
def test_the_next_change_is_found_as_by_looking_at_every_minute(drawn: tuple[list[Entry], datetime]) -> None:
    found, at = drawn
    interval = TimeInterval("i", tuple(found))
    by_minutes = scanned(interval, at)
    change = next_change([TimeInterval(str(place), (entry,)) for place, entry in enumerate(found)], at)
    if by_minutes is None:
        assert change is None or change > at + timedelta(days=DAYS) - MINUTE
    else:
        assert change == by_minutes


@given(near_changes(), near_changes())
@settings(max_examples=25, deadline=None)
def test_a_route_is_unmuted_as_by_looking_at_every_minute(
    muting: tuple[list[Entry], datetime], activating: tuple[list[Entry], datetime]
) -> None:
    intervals = {"mute": TimeInterval("mute", tuple(muting[0])), "active": TimeInterval("active", tuple(activating[0]))}
    route = Route(id="r", receiver="r", mute_time_intervals=("mute",), active_time_intervals=("active",))
    at = muting[1]
    looks = [at, *(at.replace(second=0) + MINUTE * number for number in range(1, DAYS * 1440))]
    expected = next((m for m in looks if contains(intervals["active"], m) and not contains(intervals["mute"], m)), None)
    found = unmuted_at(route, intervals, at)
    if expected is None:
        assert found is None or found > looks[-1]
    else:
        assert found == expected
