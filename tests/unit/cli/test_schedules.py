"""`alertbridge schedule`: the tables people read, the documents programs read, and the exit codes of both."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bridge.cli.main import app
from bridge.domain.errors import ConfigError

MAIN = """
channels: {out: {type: console}}
route: {receiver: out}
people: {anna: , ben: , cem: , zoe: }
schedules:
  payments:
    time_zone: Europe/Berlin
    layers: [{name: primary, people: [anna, [ben, cem]], start: 2026-03-02, weekday: sunday, at: "02:30"}]
  office:
    time_zone: Europe/Berlin
    layers:
      - people: [cem]
        start: 2026-03-02
        restrictions: [{start_time: "08:00", end_time: "18:00", weekdays: monday:friday}]
"""
AT = ("--at", "2026-03-29T12:00")


@pytest.fixture
def main(tmp_path: Path) -> Path:
    path = tmp_path / "main.yml"
    path.write_text(MAIN)
    return path


def run(main: Path, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["schedule", *arguments, "--config", str(main)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


def test_show_says_who_is_on_call_since_and_until_when(main: Path) -> None:
    code, said = run(main, "show", "payments", *AT)

    assert code == 0
    row = said.strip().splitlines()[-1].split("  ")
    assert [cell.strip() for cell in row if cell.strip()] == [
        "payments", "anna", "primary", "Sun 2026-03-29 03:00 CEST", "Sun 2026-04-05 02:30 CEST", "ben + cem",
    ]  # fmt: skip


def test_nobody_on_call_is_exit_1_and_says_when_somebody_is(main: Path) -> None:
    code, said = run(main, "show", "--json", *AT)

    payments, office = json.loads(said)
    assert code == 1
    assert payments["people"] == ["anna"]
    assert (office["people"], office["next"], office["fallback"]) == ([], ["cem"], None)
    assert office["until"] == "2026-03-30T06:00:00Z"


def test_preview_lists_shifts_and_gaps(main: Path) -> None:
    code, said = run(main, "preview", "office", "--months", "1", "--json", "--at", "2026-03-27T00:00")
    found = json.loads(said)

    assert code == 0
    assert [each["people"] for each in found[:4]] == [[], ["cem"], [], ["cem"]]
    assert all(earlier["end"] == later["begin"] for earlier, later in pairwise(found))
    assert found[-1]["end"] == "2026-04-26T22:00:00Z"
    _, said = run(main, "preview", "payments", "--at", "2026-03-27T00:00")
    assert len([line for line in said.splitlines() if "primary" in line]) == 53
    assert "Sun 2026-03-22 02:30 CET Sun 2026-03-29 03:00 CEST ben + cem primary" in " ".join(said.split())


def test_lint_finds_gaps_overlaps_people_never_on_call_and_odd_hours(main: Path) -> None:
    code, said = run(main, "lint", "--at", "2026-03-02T00:00Z")

    lines = said.splitlines()
    assert code == 1, "a gap has no fallback"
    assert lines[0] == (
        "payments: error: nobody is on call: and there is no fallback (Mon 2026-03-02 01:00 CET to Mon 2026-03-02 02:30 CET)"
    )
    assert "office: error: nobody is on call 257 more times: and there is no fallback" in said
    assert (
        "payments: note: a hand-off of primary is at a time that clocks skip; it is the first moment after the gap "
        "(Sun 2026-03-29 03:00 CEST)"
    ) in lines
    assert (
        "payments: note: a hand-off of primary is at a time that clocks show twice; it is the first of the two "
        "(Sun 2026-10-25 02:30 CEST)"
    ) in lines
    assert any(
        line.startswith("office, payments: note: cem is on call for office and payments at once") for line in lines
    )
    assert "note: zoe is in no schedule" in lines


def test_a_gap_with_a_fallback_is_a_warning(main: Path) -> None:
    main.write_text(MAIN + "fallback: out\n")
    code, said = run(main, "lint", "--json", "--at", "2026-03-02T00:00Z")

    assert code == 0
    assert {each["severity"] for each in json.loads(said) if each["kind"] == "gap"} == {"warning"}


def test_a_schedule_without_fault_is_said_to_be_so(main: Path) -> None:
    main.write_text(MAIN.replace('"02:30"', '"09:00"'))
    assert run(main, "lint", "payments", "--at", "2026-04-02T00:00Z") == (0, "nothing found within 12 months\n")


def test_an_unknown_schedule_is_named_with_what_was_meant(main: Path) -> None:
    result = CliRunner().invoke(app, ["schedule", "show", "paymnets", "--config", str(main)])
    assert result.exit_code == 2
    assert "there is no schedule 'paymnets'; did you mean 'payments'?" in " ".join(result.output.split())


def test_an_invalid_configuration_is_refused_with_its_places(main: Path) -> None:
    main.write_text(MAIN.replace("Europe/Berlin", "Europe/Berlyn"))
    with pytest.raises(
        ConfigError, match=r"main\.yml:7:16: schedules\.payments\.time_zone: 'Europe/Berlyn' is not a time"
    ):
        run(main, "show")


@pytest.mark.parametrize("at", ["9999-12-31T23:00Z", "0001-01-01T00:00Z"])
def test_a_moment_beyond_all_calendars_is_wrong_usage(main: Path, at: str) -> None:
    result = CliRunner().invoke(app, ["schedule", "preview", "office", "--at", at, "--config", str(main)])
    assert result.exit_code == 2
    assert "a year from 1970 to 2200 is wanted" in " ".join(result.output.replace("│", "").split())
