"""The section `drills:`: tests of the whole way to people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.config.timing import held_drills, intervals_of
from tests.unit.config.written import load_text, said, valid

HEAD = """channels: {a: {type: console}, b: {type: console}}
receivers: {team: [a, b]}
route: {receiver: a}
fallback: b
time_intervals: [{name: noon, time_intervals: [{times: [{start_time: '12:00', end_time: '13:00'}]}]}]
"""
WHOLE = """
drills:
  page: {time_intervals: [noon], to: team, within: 2m, acknowledge: 15m, severity: info, labels: {x: y}, annotations: {a: b}, notice: a}
"""


def at(hour: int, minute: int = 0, day: int = 1) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def test_a_drill_is_read_whole_and_knows_when_it_is(tmp_path: Path) -> None:
    config = valid(load_text(tmp_path, HEAD + WHOLE))
    found = held_drills(config, intervals_of(config))["page"]

    assert (found.to, found.notice, found.within) == ("team", "a", timedelta(minutes=2))
    assert found.acknowledge == timedelta(minutes=15)
    assert found.labels == {"alertname": "TEST fire drill page", "severity": "info", "x": "y", "drill": "page"}
    assert found.annotations["summary"].startswith("TEST: ")
    assert found.annotations["summary"].endswith("Acknowledge it within 15m.")
    assert (found.begins(at(11)), found.begins(at(12, 30))) == (at(12), at(12, day=2))
    assert (found.holds(at(12)), found.holds(at(13))) == (True, False)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("a: {}", "drills.a.time_intervals"),
        ("a: ", "drills.a is a mapping such as"),
        ("a: {time_intervals: []}", "drills.a.time_intervals"),
        ("a: {time_intervals: [nights]}", "there is no time interval 'nights'"),
        ("a: {time_intervals: [noon], to: nobody}", "there is no receiver 'nobody'"),
        ("a: {time_intervals: [noon], notice: nobody}", "there is no receiver 'nobody'"),
        ("a: {time_intervals: [noon], labels: {alertname: x}}", "the label 'alertname' is always the drill's own"),
        ("a: {time_intervals: [noon], within: 2d}", "drills.a.within"),
        ("a b: {time_intervals: [noon]}", "a drill's name is part of its path"),
        ("a: {time_intervals: [noon], often: 1}", "drills.a.often: unknown key"),
    ],
)
def test_what_cannot_be_a_drill_is_refused(tmp_path: Path, entry: str, problem: str) -> None:
    loaded = load_text(tmp_path, f"{HEAD}drills:\n  {entry}\n")
    assert any(problem in line for line in said(loaded)), said(loaded)
    assert loaded.config is None


def test_somebody_has_to_hear_of_a_failure(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, HEAD.replace("fallback: b\n", "") + "drills: {a: {time_intervals: [noon]}}\n")
    assert said(loaded) == [
        "main.yml:5:10: nobody would hear that this drill failed: give it `notice`, or give a `fallback`"
    ]


def test_no_source_can_have_the_name_of_drills(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "sources: {drill: {}}\n" + HEAD)
    assert any("'drill' is reserved for fire drills" in line for line in said(loaded))
