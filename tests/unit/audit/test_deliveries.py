from __future__ import annotations

import pytest

from bridge.audit.deliveries import compare
from bridge.storage.audit_log import DeliveryFact, StoredDelivery


def _facts(*told: tuple[str, int], delivery: str = "5") -> list[DeliveryFact]:
    return [DeliveryFact(delivery, seq, kind, attempt) for seq, (kind, attempt) in enumerate(told, 10)]


def _judge(state: str, attempts: int, *told: tuple[str, int], pruned: int = 0) -> str:
    finding = compare([StoredDelivery(5, state, attempts)], _facts(*told), pruned=pruned)
    return finding.what if finding else ""


@pytest.mark.parametrize(
    ("state", "attempts", "told"),
    [
        ("pending", 0, []),
        ("sent", 1, [("sent", 1)]),
        ("sent", 3, [("retry", 1), ("unknown", 2), ("sent", 3)]),
        ("superseded", 1, [("retry", 1), ("superseded", 0)]),
        ("dead", 1, [("dead", 1)]),
        ("dead", 2, [("retry", 1), ("retry", 2), ("dead", 0)]),
        ("dead", 2, [("retry", 1), ("retry", 2), ("dead", 2)]),
        ("sent", 2, [("dead", 1), ("replayed", 0), ("sent", 2)]),
        ("pending", 1, [("dead", 1), ("replayed", 0)]),
        ("parked", 0, [("parked", 0)]),
        ("sent", 1, [("held", 0), ("sent", 1), ("late", 2), ("a_kind_of_tomorrow", 9)]),
    ],
)
def test_an_honest_story_agrees(state: str, attempts: int, told: list[tuple[str, int]]) -> None:
    assert _judge(state, attempts, *told) == ""


@pytest.mark.parametrize(
    ("state", "attempts", "told", "what"),
    [
        ("sent", 0, [], "no end"),
        ("dead", 1, [("sent", 1)], "is dead, its records tell sent"),
        ("sent", 2, [("sent", 1), ("sent", 2)], "sent (10), sent (11)"),
        ("pending", 1, [("sent", 1)], "is pending, but record 10"),
        ("sent", 2, [("sent", 2)], "had 2 attempts"),
        ("sent", 1, [("retry", 1), ("sent", 1)], "had 1 attempts"),
        ("pending", 1, [], "had 1 attempts"),
        ("sent", 1, [("dead", 1), ("replayed", 0)], "no end"),
    ],
)
def test_a_story_that_differs_is_found(state: str, attempts: int, told: list[tuple[str, int]], what: str) -> None:
    assert what in _judge(state, attempts, *told)


@pytest.mark.parametrize("name", ["4", "6", "05", "5x", "x", "9" * 30])
def test_an_end_of_a_delivery_that_is_not_there_is_found(name: str) -> None:
    facts = sorted(
        [*_facts(("sent", 1)), *_facts(("sent", 1), delivery=name)], key=lambda fact: _as_sqlite_sorts(fact.delivery)
    )
    finding = compare([StoredDelivery(5, "sent", 1)], facts, pruned=5)
    assert finding is not None
    assert f"delivery {name}, which is not there" in finding.what


def _as_sqlite_sorts(text: str) -> tuple[int, str]:
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return min(int(digits or 0), (1 << 63) - 1), text


@pytest.mark.parametrize(
    ("state", "attempts", "told"),
    [
        ("sent", 3, [("sent", 3)]),
        ("sent", 3, []),
        ("pending", 2, [("retry", 2)]),
        ("dead", 2, [("dead", 2)]),
        ("dead", 2, [("retry", 2), ("dead", 0)]),
        ("sent", 2, [("replayed", 0), ("sent", 2)]),
    ],
)
def test_of_a_delivery_older_than_the_pruning_the_first_records_may_be_gone(
    state: str, attempts: int, told: list[tuple[str, int]]
) -> None:
    assert _judge(state, attempts, *told, pruned=5) == ""
    assert _judge(state, attempts, *told, pruned=4) != ""


@pytest.mark.parametrize(
    ("state", "attempts", "told"),
    [
        ("dead", 3, [("sent", 3)]),
        ("sent", 3, [("sent", 2)]),
        ("sent", 3, [("retry", 1), ("sent", 3)]),
        ("sent", 1, [("retry", 1), ("sent", 2)]),
        ("pending", 3, [("sent", 3)]),
        ("sent", 1, [("dead", 1), ("replayed", 0)]),
    ],
)
def test_the_records_that_are_left_of_it_must_still_agree(
    state: str, attempts: int, told: list[tuple[str, int]]
) -> None:
    assert _judge(state, attempts, *told, pruned=5) != ""
