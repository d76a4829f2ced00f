"""Time intervals and inhibition rules as they are written, and what routing makes of them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bridge.config.model import Config
from bridge.config.timing import inhibition_of, intervals_of, local_zone
from bridge.routing.entries import Entry
from bridge.routing.intervals import contains
from tests.unit.config.written import load_text, said, valid

HEAD = "channels: {a: {type: console}}\nroute: {receiver: a}\n"


def configured(tmp_path: Path, text: str) -> Config:
    return valid(load_text(tmp_path, HEAD + text))


def entry(tmp_path: Path, text: str) -> Entry:
    """The only entry of the only interval."""
    config = configured(tmp_path, f"time_intervals: [{{name: i, time_intervals: [{text}]}}]")
    return intervals_of(config)["i"].entries[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", Entry()),
        (
            "{times: [{start_time: '09:00', end_time: '17:30'}, {start_time: '23:00', end_time: '24:00'}]}",
            Entry(times=((540, 1050), (1380, 1440))),
        ),
        ("{weekdays: ['Monday:Friday', sunday]}", Entry(weekdays=((1, 5), (0, 0)))),
        ("{days_of_month: ['1:5', '-3:-1', '1:-1', '31']}", Entry(days_of_month=((1, 5), (-3, -1), (1, -1), (31, 31)))),
        ("{months: [december, '1:3', 'may:August', 7]}", Entry(months=((12, 12), (1, 3), (5, 8), (7, 7)))),
        ("{years: ['2026', '2027:2030', 2040]}", Entry(years=((2026, 2026), (2027, 2030), (2040, 2040)))),
        ("{location: Europe/Berlin}", Entry(zone=ZoneInfo("Europe/Berlin"))),
        ("{location: UTC}", Entry()),
        ("{weekdays: , times: , location: }", Entry()),
        ("{weekdays: []}", Entry(weekdays=())),
        ("{times: [], months: [1]}", Entry(times=(), months=((1, 1),))),
    ],
)
def test_an_entry_asks_for_what_is_written_and_no_more(tmp_path: Path, text: str, expected: Entry) -> None:
    assert entry(tmp_path, text) == expected


def test_intervals_of_the_older_section_stand_beside_those_of_the_newer(tmp_path: Path) -> None:
    config = configured(
        tmp_path,
        "mute_time_intervals: [{name: old, time_intervals: [{weekdays: [saturday]}]}]\n"
        "time_intervals: [{name: new, time_intervals: [{weekdays: [sunday]}]}, {name: none}]",
    )
    found = intervals_of(config)
    assert sorted(found) == ["new", "none", "old"]
    saturday = datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert [name for name, interval in sorted(found.items()) if contains(interval, saturday)] == ["old"]


def test_a_route_may_name_intervals_of_either_section(tmp_path: Path) -> None:
    text = (
        "channels: {a: {type: console}}\n"
        "mute_time_intervals: [{name: old}]\ntime_intervals: [{name: new}]\n"
        "route: {receiver: a, routes: [{matchers: [x=1], mute_time_intervals: [old, new], active_time_intervals: [new]}]}\n"
    )
    child = valid(load_text(tmp_path, text)).route.routes[0]
    assert (child.mute_time_intervals, child.active_time_intervals) == (("old", "new"), ("new",))
    wrong = load_text(tmp_path, text.replace("active_time_intervals: [new]", "active_time_intervals: [nwe]"))
    assert "main.yml:4:106: there is no time interval 'nwe'; did you mean 'new'?" in said(wrong)


@pytest.fixture
def _fresh_zone() -> Iterator[None]:
    local_zone.cache_clear()
    yield
    local_zone.cache_clear()


@pytest.mark.usefixtures("_fresh_zone")
@pytest.mark.parametrize("named", ["Asia/Kathmandu", ":Asia/Kathmandu", "file"])
def test_local_is_the_zone_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    found = next(path for folder in zoneinfo.TZPATH if (path := Path(folder) / "Asia/Kathmandu").exists())
    monkeypatch.setenv("TZ", str(found) if named == "file" else named)
    noon = datetime(2026, 11, 28, 12, tzinfo=UTC)
    assert noon.astimezone(entry(tmp_path, "{location: Local}").zone).strftime("%H:%M") == "17:45"


@pytest.mark.usefixtures("_fresh_zone")
@pytest.mark.parametrize("named", ["", "No/Such_Place", "/no/such/file"])
def test_local_is_utc_where_the_environment_names_nothing_that_exists(
    monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    monkeypatch.setenv("TZ", named)
    assert local_zone() is UTC


@pytest.mark.usefixtures("_fresh_zone")
def test_local_is_the_machines_zone_where_the_environment_names_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = next(path for folder in zoneinfo.TZPATH if (path := Path(folder) / "Asia/Kathmandu").exists())
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr("bridge.config.timing._LOCAL", found)
    assert datetime(2026, 11, 28, 12, tzinfo=local_zone()).strftime("%z") == "+0545"
    local_zone.cache_clear()
    monkeypatch.setattr("bridge.config.timing._LOCAL", tmp_path / "none")
    assert local_zone() is UTC


def test_inhibition_rules_join_the_older_form_with_the_newer(tmp_path: Path) -> None:
    inhibition = inhibition_of(
        configured(
            tmp_path,
            "inhibit_rules:\n"
            "  - {source_matchers: [severity=critical, 'a=~\"x|y\"'], source_match: {b: '1'}, source_match_re: {c: 2.*},\n"
            "     target_matchers: 'severity=~\"warning|info\"', target_match: {d: '3'}, equal: [cluster], name: n}\n",
        )
    )
    source = {"severity": "critical", "a": "x", "b": "1", "c": "22", "cluster": "k"}
    target = {"severity": "info", "d": "3", "cluster": "k"}
    [one], [other] = inhibition.sources(source), inhibition.targets(target)
    assert (one.rule, one.equals, one.both) == (other.rule, other.equals, False)
    for name in ("severity", "a", "b", "c"):
        assert not inhibition.sources({**source, name: "other"})
    for name in ("severity", "d"):
        assert not inhibition.targets({**target, name: "other"})


def test_without_rules_and_intervals_there_are_none(tmp_path: Path) -> None:
    config = configured(tmp_path, "")
    assert not inhibition_of(config)
    assert not intervals_of(config)
