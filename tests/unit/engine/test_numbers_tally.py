"""Counting keeps little whatever there is to count, and its times are as exact as it says."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.domain.audit import Kind
from bridge.domain.storm import GROUP
from bridge.engine.numbers_spread import Spread
from bridge.engine.numbers_tally import NAMES, OTHERS, Asked, Tally
from bridge.storage.numbers import Fact

START = datetime(2026, 3, 1, tzinfo=UTC)
YEAR = Asked(START, START + timedelta(days=365), ZoneInfo("UTC"), "UTC", "team")


def fact(number: int, kind: Kind, after: int = 0, **fields: str) -> Fact:
    at = START + timedelta(minutes=number, seconds=after)
    values = {
        "source": "s",
        "route": "r",
        "group_hash": "g",
        "labels": "{}",
        "actor": "bridge",
        "channel": "",
        "reason": "",
    }
    return Fact(f"{number:09}", seq=number * 10, at=at, kind=kind, **{**values, **fields})


def life(number: int, names: int) -> Iterator[Fact]:
    """Opened, told, acknowledged after a minute, over after two."""
    route = {"route": f"r{number % names}", "labels": f'{{"team":"t{number % names}"}}'}
    yield fact(number, Kind.OPENED, **route)
    yield fact(number, Kind.SENT, channel=f"c{number % names}", reason="opened", **route)
    yield fact(number, Kind.ACKNOWLEDGED, 60, actor=f"p{number % names}", **route)
    yield fact(number, Kind.RESOLVED, 120, **route)


def counted(asked: Asked, incidents: int, names: int) -> tuple[Tally, int]:
    """A tally that counted so many, and the most bytes it took."""
    tracemalloc.start()
    try:
        tally = Tally(asked)
        for number in range(incidents):
            for one in life(number, names):
                tally.add(one)
        return tally, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_ten_times_as_many_incidents_take_no_more_memory() -> None:
    _few, before = counted(YEAR, 2_000, 50)
    tally, after = counted(YEAR, 20_000, 50)
    assert after < before * 1.5
    total = tally.report(None).total
    assert (total.incidents, total.pages, total.acknowledged) == (20_000, 20_000, 20_000)
    assert (total.time_to_acknowledge.mean, total.time_to_resolve.mean) == (60, 120)


def test_too_many_names_are_counted_together() -> None:
    report = counted(YEAR, NAMES + 500, NAMES + 500)[0].report(None)
    for lines in (report.routes, report.teams):
        assert len(lines) == NAMES + 1
        assert [line.incidents for line in lines if line.name == OTHERS] == [500]
        assert sum(line.incidents for line in lines) == report.total.incidents
    assert [one.pages for one in report.people if one.name == OTHERS] == [500]
    assert [one.acknowledged for one in report.responders if one.name == OTHERS] == [500]


def test_hours_are_those_that_clocks_show_on_the_day() -> None:
    """Berlin goes from UTC+1 to UTC+2 on 29 March 2026 at 01:00 UTC."""
    tally = Tally(Asked(START, START + timedelta(days=365), ZoneInfo("Europe/Berlin"), "Europe/Berlin", "team"))
    for day in (28, 29):
        tally.add(fact(((day - 1) * 24 + 8) * 60, Kind.OPENED))
    report = tally.report(None)
    assert {one.hour: one.incidents for one in report.hours if one.incidents} == {9: 1, 10: 1}


def test_the_digest_of_a_storm_pages_and_is_no_incident() -> None:
    tally = Tally(YEAR)
    for kind, reason in ((Kind.OPENED, ""), (Kind.SENT, "digest"), (Kind.ACKNOWLEDGED, ""), (Kind.RESOLVED, "")):
        tally.add(fact(1, kind, group_hash=GROUP, reason=reason, channel="c"))
    report = tally.report(None)
    assert (report.total.incidents, report.total.pages, report.responders) == (0, 1, ())


def test_what_tells_of_an_end_or_is_a_test_is_no_page() -> None:
    tally = Tally(YEAR)
    tally.add(fact(1, Kind.OPENED))
    for reason in ("resolved", "acknowledged", "notice", "test"):
        tally.add(fact(1, Kind.SENT, reason=reason, channel="c"))
    assert tally.report(None).total.pages == 0
    for reason in ("opened", "changed", "reminder", "digest", "escalated"):
        tally.add(fact(1, Kind.LATE, reason=reason, channel="c"))
    report = tally.report(None)
    assert (report.total.pages, [(one.pages, one.incidents) for one in report.people]) == (5, [(5, 1)])


def test_a_message_for_two_people_is_a_page_of_each_and_one_of_all() -> None:
    tally = Tally(YEAR)
    tally.add(fact(1, Kind.OPENED))
    told = fact(1, Kind.SENT, reason="opened", channel="c")
    tally.add(Fact(*(getattr(told, name) for name in Fact.__struct_fields__[:-1]), people=("alice", "bob")))
    report = tally.report(None)
    assert (report.total.pages, [(one.name, one.kind, one.pages) for one in report.people]) == (
        1, [("alice", "person", 1), ("bob", "person", 1)],
    )  # fmt: skip


def test_the_first_acknowledgement_and_the_first_end_count() -> None:
    tally = Tally(YEAR)
    tally.add(fact(1, Kind.OPENED))
    for kind, actor, after in (
        (Kind.SNOOZED, "alice", 60), (Kind.ACKNOWLEDGED, "bob", 90), (Kind.RESOLVED, "bob", 120), (Kind.RESOLVED, "bridge", 500),
    ):  # fmt: skip
        tally.add(fact(1, kind, after, actor=actor))
    report = tally.report(None)
    assert (report.total.time_to_acknowledge.mean, report.total.time_to_resolve.mean) == (60, 120)
    assert [one.name for one in report.responders] == ["alice"]


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_a_spread_knows_its_quantiles_to_two_per_cent(share: float) -> None:
    rng = random.Random(7)
    durations = sorted(rng.lognormvariate(5, 2) for _ in range(5_000))
    spread = Spread()
    for one in durations:
        spread.add(one)
    exact = durations[max(0, round(share * len(durations)) - 1)]
    found = spread.quantile(share)
    assert found is not None
    assert exact * 0.999 <= found <= exact * 1.021
    assert spread.mean() == pytest.approx(sum(durations) / len(durations))


def test_a_spread_of_nothing_has_no_times_and_one_of_no_time_has_none_that_shows() -> None:
    spread = Spread()
    assert (spread.mean(), spread.quantile(0.5)) == (None, None)
    spread.add(0.0)
    assert spread.mean() == 0.0
    assert spread.quantile(0.5) == pytest.approx(0.01, rel=0.03)
