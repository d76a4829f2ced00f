"""At each crash point the bridge dies, or its PostgreSQL server, or both; they come back, and have lost nothing.

Most of the time is spent waiting, for what a dead bridge has claimed. So the cases run beside each other, and each test
waits for its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from bridge.domain.crashpoint import POINTS, VARIABLE
from tests.faults.crash_cases import CASES, PLANTED, Case, Runs
from tests.faults.crash_points import TABLE
from tests.faults.serving import MAIN, bridge_of, refused

BRIDGE = Path(__file__).resolve().parents[2] / "bridge"
PASSED = re.compile(r'\bcrashpoint(?:\(|,)\s*"([^"]*)"')


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[Case, Future[list[str]]]]:
    """All cases that are asked for, under way."""
    tests = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    asked = [test for test in tests if hasattr(test, "callspec") and not test.get_closest_marker("skip")]
    runs = Runs(tmp_path_factory.mktemp("crash"))
    try:
        yield runs.start([test.callspec.params["case"] for test in asked if "case" in test.callspec.params])
    finally:
        runs.close()


def params(cases: Iterable[Case]) -> list[object]:
    return [
        pytest.param(case, id=str(case), marks=[pytest.mark.postgres] if case.database == "postgresql" else [])
        for case in cases
    ]


@pytest.mark.parametrize("case", params(CASES))
def test_a_death_there_loses_nothing(results: dict[Case, Future[list[str]]], case: Case) -> None:
    """Its accepted alerts arrive, none twice beyond what the point allows, none out of order; the audit log holds."""
    assert results[case].result(300) == []


@pytest.mark.parametrize("case", params(PLANTED))
def test_a_bug_there_is_found(results: dict[Case, Future[list[str]]], case: Case) -> None:
    assert any(PLANTED[case] in problem for problem in results[case].result(300)), results[case].result()


def test_every_point_is_passed_somewhere_and_no_other() -> None:
    found = {name for path in BRIDGE.rglob("*.py") for name in PASSED.findall(path.read_text())}
    assert found == POINTS


@pytest.mark.parametrize(("database", "never"), [("sqlite", "lease.renew"), ("postgresql", "wal.checkpoint")])
def test_every_point_has_a_scenario(database: str, never: str) -> None:
    assert {scenario.point for scenario in TABLE if database in scenario.databases} == POINTS - {never}


@pytest.mark.parametrize(
    ("text", "says"), [("ingest.never:1", "there is no crash point"), ("wal.checkpoint", "write wal.checkpoint:1")]
)
def test_a_point_that_is_none_refuses_the_start(tmp_path: Path, text: str, says: str) -> None:
    with bridge_of(tmp_path, MAIN, start=False, **{VARIABLE: text}) as bridge:
        code, error = refused(bridge)
        assert code == 3
        assert says in error
