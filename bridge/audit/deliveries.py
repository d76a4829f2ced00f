"""Deliveries and the audit log must tell the same story, in both directions.

A delivery that ended has exactly one record of that kind since it was last replayed, one that waits has none; its
attempts are recorded once each, numbered from 1; and no record tells of an end or an attempt of a delivery that is not
there. A `dead` without an attempt of its own (the time was over) bears the number of the last attempt, or 0.

A delivery goes only after every record of it was pruned. One that stays may have lost its first records.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from bridge.audit.findings import Finding
from bridge.storage.audit_log import DeliveryFact, StoredDelivery

ENDS = frozenset({"sent", "dead", "superseded", "cancelled", "expired"})
ATTEMPTS = frozenset({"sent", "retry", "unknown", "dead"})
_SILENT = ENDS | ATTEMPTS


def compare(deliveries: Iterable[StoredDelivery], facts: Iterable[DeliveryFact], *, pruned: int) -> Finding | None:
    """The first disagreement, by delivery. `facts` come by delivery (as a number) and sequence number.

    Of deliveries with ids up to `pruned` the oldest records may be gone.
    """
    groups = _grouped(facts)
    number, told = next(groups, (None, []))
    for delivery in deliveries:
        while number is not None and number < delivery.id:
            if finding := _orphan(number, told):
                return finding
            number, told = next(groups, (None, []))
        own: list[DeliveryFact] = []
        if number == delivery.id:
            own = told
            number, told = next(groups, (None, []))
        if finding := _judge(delivery, own, whole=delivery.id > pruned):
            return finding
    while number is not None:
        if finding := _orphan(number, told):
            return finding
        number, told = next(groups, (None, []))
    return None


def _grouped(facts: Iterable[DeliveryFact]) -> Iterator[tuple[int | None, list[DeliveryFact]]]:
    for text, group in groupby(facts, key=lambda fact: fact.delivery):
        yield _number(text), list(group)


def _number(text: str) -> int:
    """The delivery's number; what is no number as we write it belongs to no delivery and comes first."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1
    return number if str(number) == text else -1


def _orphan(number: int, facts: list[DeliveryFact]) -> Finding | None:
    telling = [fact for fact in facts if fact.kind in _SILENT]
    if not telling:
        return None
    first = telling[0]
    name = facts[0].delivery if number < 0 else str(number)
    return Finding(f"record {first.seq} tells of delivery {name}, which is not there", first.seq, telling[-1].seq)


def _judge(delivery: StoredDelivery, facts: list[DeliveryFact], *, whole: bool) -> Finding | None:
    replays = [place for place, fact in enumerate(facts) if fact.kind == "replayed"]
    since = facts[replays[-1] + 1 :] if replays else facts
    ends = [fact for fact in since if fact.kind in ENDS]
    span = (facts[0].seq, facts[-1].seq) if facts else (0, 0)
    if delivery.state in ENDS:
        end_is_pruned = not whole and not ends and not replays
        if not end_is_pruned and [fact.kind for fact in ends] != [delivery.state]:
            told = ", ".join(f"{fact.kind} ({fact.seq})" for fact in ends) or "no end"
            return Finding(f"delivery {delivery.id} is {delivery.state}, its records tell {told}", *span)
    elif ends:
        kind, seq = ends[-1].kind, ends[-1].seq
        return Finding(
            f"delivery {delivery.id} is {delivery.state}, but record {seq} tells that it is {kind}", seq, seq
        )
    return _judge_attempts(delivery, facts, span, whole=whole)


def _judge_attempts(
    delivery: StoredDelivery, facts: list[DeliveryFact], span: tuple[int, int], *, whole: bool
) -> Finding | None:
    numbers: list[int] = []
    for fact in facts:
        if fact.kind in ATTEMPTS and not (fact.kind == "dead" and (fact.attempt == 0 or fact.attempt in numbers)):
            numbers.append(fact.attempt)
    first = 1 if whole else delivery.attempts - len(numbers) + 1
    if first < 1 or sorted(numbers) != list(range(first, delivery.attempts + 1)):
        told = ", ".join(map(str, sorted(numbers))) or "none"
        return Finding(f"delivery {delivery.id} had {delivery.attempts} attempts, its records tell of: {told}", *span)
    return None
