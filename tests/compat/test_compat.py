"""The comparison with a real Alertmanager, short; and that it finds bugs. `make compat` runs it at length."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.compat import routes
from tests.compat.batch import BRIDGE, TWIN, Batch, case, directed_case, play_all
from tests.compat.bugs import BUGS
from tests.compat.directed import DIRECTED, Directed
from tests.compat.model import DIFFERENCES, predict
from tests.compat.random_histories import MARGIN

pytestmark = pytest.mark.alertmanager

SEED = 1
DOCS = Path(__file__).resolve().parents[2] / "docs"
UNBOUNDED = [number for number, directed in enumerate(DIRECTED) if not directed.bounded]
"""Those that do not wait for a full minute."""


RANDOM = 6


@pytest.fixture(scope="module")
def played() -> tuple[dict[str, Batch], dict[str, Batch]]:
    """The directed histories, through the bridge and through one with each bug; random ones. Both at the same time."""
    some = [directed_case(number) for number in UNBOUNDED], [BRIDGE, *BUGS]
    others = [case(SEED, number) for number in range(RANDOM)], [BRIDGE, TWIN]
    with ThreadPoolExecutor(2) as pool:
        directed, random_ones = pool.map(lambda asked: play_all(*asked), (some, others))
    return directed, random_ones


@pytest.fixture(scope="module")
def directed(played: tuple[dict[str, Batch], dict[str, Batch]]) -> dict[str, Batch]:
    return played[0]


@pytest.fixture(scope="module")
def random_ones(played: tuple[dict[str, Batch], dict[str, Batch]]) -> dict[str, Batch]:
    return played[1]


@pytest.mark.parametrize("number", UNBOUNDED, ids=lambda number: DIRECTED[number].name.replace(" ", "-"))
def test_it_is_told_as_it_is_meant(directed: dict[str, Batch], number: int) -> None:
    verdict = directed[BRIDGE].verdicts[number]
    assert verdict.problems == verdict.unforeseen == []
    assert set(verdict.differences) == ({DIRECTED[number].kind} if DIRECTED[number].kind else set())


@pytest.mark.parametrize("found", [one for one in DIRECTED if one.finds], ids=lambda one: one.finds)
def test_the_bug_is_found(directed: dict[str, Batch], found: Directed) -> None:
    assert directed[found.finds].verdicts[DIRECTED.index(found)].problems


@pytest.mark.parametrize("challenger", [BRIDGE, TWIN], ids=["bridge", "alertmanager"])
def test_random_histories_are_told_alike(random_ones: dict[str, Batch], challenger: str) -> None:
    verdicts = random_ones[challenger].verdicts
    assert len(verdicts) == RANDOM
    assert [verdict.problems + verdict.unforeseen for verdict in verdicts.values()] == [[]] * RANDOM
    assert sum(verdict.notifications for verdict in verdicts.values()) > 20


def test_random_routes_are_taken_alike(tmp_path: Path) -> None:
    routed = routes.compare(tmp_path, [routes.tree(SEED, number) for number in range(30)])
    assert routed.problems == {}
    assert routed.cases == 300


@pytest.mark.parametrize("bug", ["continue-is-not-obeyed", "group-by-all-is-group-by-none"])
def test_a_bug_in_the_routes_is_found(tmp_path: Path, bug: str) -> None:
    assert routes.compare(tmp_path, [routes.tree(SEED, number) for number in range(5)], bug).problems


def test_every_bug_and_every_difference_has_a_history() -> None:
    assert {one.finds for one in DIRECTED} - {""} == BUGS.keys()
    assert {one.kind for one in DIRECTED} - {""} == set(DIFFERENCES)


def test_every_difference_is_argued_for() -> None:
    page = (DOCS / "alertmanager-differences.md").read_text()
    assert [kind for kind in DIFFERENCES if f"| `{kind}` |" not in page] == []


def test_a_history_is_the_same_each_time_it_is_made() -> None:
    assert case(SEED, 5) == case(SEED, 5)
    assert case(SEED, 5) != case(SEED + 1, 5)


def test_no_outcome_hangs_on_milliseconds() -> None:
    for number in range(12):
        one = case(SEED, number)
        assert min(predict(one.setting, one.history, rules).close for rules in ((), DIFFERENCES)) >= MARGIN
