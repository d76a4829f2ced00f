"""The bridge dies at each crash point, comes back, and has lost nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bridge.domain.crashpoint import POINTS, VARIABLE
from tests.faults.crash_points import TABLE
from tests.faults.crash_scenarios import Scenario, run
from tests.faults.oracle_process import oracle
from tests.faults.serving import MAIN, bridge_of, refused

BRIDGE = Path(__file__).resolve().parents[2] / "bridge"
PASSED = re.compile(r'\bcrashpoint(?:\(|,)\s*"([^"]*)"')


def cases() -> list[object]:
    return [
        pytest.param(scenario, sink, id="-".join(filter(None, (scenario.point, scenario.title, sink))))
        for scenario in TABLE
        for sink in scenario.sinks
        if "sqlite" in scenario.databases
    ]


@pytest.mark.parametrize(("scenario", "sink"), cases())
def test_a_crash_there_loses_nothing(tmp_path: Path, scenario: Scenario, sink: str) -> None:
    """Its accepted alerts arrive, none twice beyond what the point allows, none out of order; the audit log holds."""
    with oracle(tmp_path) as watcher:
        assert run(tmp_path, scenario, sink, watcher, "sqlite:bridge.db") == []


def test_every_point_is_passed_somewhere_and_no_other() -> None:
    found = {name for path in BRIDGE.rglob("*.py") for name in PASSED.findall(path.read_text())}
    assert found == POINTS


def test_every_point_has_a_scenario() -> None:
    assert {scenario.point for scenario in TABLE} == POINTS


@pytest.mark.parametrize(
    ("text", "says"), [("ingest.never:1", "there is no crash point"), ("wal.checkpoint", "write wal.checkpoint:1")]
)
def test_a_point_that_is_none_refuses_the_start(tmp_path: Path, text: str, says: str) -> None:
    with bridge_of(tmp_path, MAIN, start=False, **{VARIABLE: text}) as bridge:
        code, error = refused(bridge)
        assert code == 3
        assert says in error
