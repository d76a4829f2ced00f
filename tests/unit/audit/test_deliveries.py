from __future__ import annotations

import pytest

from bridge.audit.deliveries import compare
from bridge.storage.audit_log import DeliveryFact, StoredDelivery


def _facts(*told: tuple[str, int], delivery: str = "5") -> list[DeliveryFact]:
    return [DeliveryFact(delivery, seq, kind, attempt, 100) for seq, (kind, attempt) in enumerate(told, 10)]


def _judge(state: str, attempts: int, *told: tuple[str, int], until: int = 0) -> str:
    finding = compare([StoredDelivery(5, state, attempts, 50)], _facts(*told), until=until)
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
    finding = compare([StoredDelivery(5, "sent", 1, 50)], facts, until=0)
    assert finding is not None
    assert f"delivery {name}, which is not there" in finding.what


def _as_sqlite_sorts(text: str) -> tuple[int, str]:
    digits = text[: len(text) - len(text.lstrip("0123456789"))]
    return min(int(digits or 0), (1 << 63) - 1), text


def test_what_was_made_before_the_pruning_may_be_incomplete() -> None:
    assert _judge("sent", 3, ("sent", 3), until=51) == ""
    assert compare([], _facts(("sent", 1)), until=101) is None
    assert compare([], _facts(("sent", 1)), until=100) is not None
