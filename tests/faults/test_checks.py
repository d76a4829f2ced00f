"""What `make faults` runs at length holds when it is short, and none of it holds with a bug planted that it is there to find."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.bugs import BUGS
from tests.faults.checks import CHECKS, Check
from tests.faults.forks import close

_RUNS = 6
SEED = int(os.environ.get("FAULTS_SEED", "3"))


@pytest.fixture(scope="module", autouse=True)
def fork_server() -> Iterator[None]:
    yield
    close()


def marked(check: Check, *more: object, name: str) -> object:
    return pytest.param(check, *more, id=name, marks=[getattr(pytest.mark, check.needs)] if check.needs else [])


@pytest.mark.parametrize("check", [marked(check, name=check.name) for check in CHECKS])
def test_it_holds(tmp_path: Path, check: Check) -> None:
    assert check.run(tmp_path / "place", check.times(quick=True), SEED, "").problems == []


@pytest.mark.parametrize(
    ("check", "bug"),
    [marked(check, bug, name=f"{check.name}-{bug}") for check in CHECKS for bug in check.finds],
)
def test_the_bug_is_found(tmp_path: Path, check: Check, bug: str) -> None:
    """A check that has never failed proves nothing. A bug that shows only where a deed meets work in flight has several runs."""
    runs = (check.run(tmp_path / f"place{run}", check.planted, SEED + run, bug).problems for run in range(_RUNS))
    assert any(runs)


def test_every_check_has_a_bug_to_find_and_every_bug_a_check() -> None:
    assert all(check.finds for check in CHECKS)
    looked_for = {bug for check in CHECKS for bug in check.finds}
    assert looked_for - BUGS.keys() == {"a-standby-nobody-waits-for"}
