from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.routing.matchers import parse_matchers
from bridge.routing.silences import Silence, Silences

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def silence(identity: str, matchers: str, start: timedelta = -HOUR, end: timedelta = HOUR) -> Silence:
    return Silence(identity, parse_matchers(matchers), NOW + start, NOW + end, NOW)


@pytest.mark.parametrize(
    ("start", "end", "state"),
    [
        (-HOUR, HOUR, "active"),
        (HOUR * 0, HOUR, "active"),
        (-HOUR, HOUR * 0, "expired"),
        (timedelta(microseconds=1), HOUR, "pending"),
        (-2 * HOUR, -HOUR, "expired"),
        (HOUR * 0, HOUR * 0, "expired"),
    ],
)
def test_a_silence_holds_from_its_start_until_just_before_its_end(start: timedelta, end: timedelta, state: str) -> None:
    made = silence("s", "a=b", start, end)
    assert made.state(NOW) == state
    assert Silences([made]).matching({"a": "b"}, NOW) == ((made,) if state == "active" else ())


def test_a_silence_needs_all_its_matchers() -> None:
    silences = Silences([silence("s", 'a="b",c=~"d.*",e!="f"')])
    assert silences.matching({"a": "b", "c": "dd"}, NOW)
    assert not silences.matching({"a": "b", "c": "dd", "e": "f"}, NOW)
    assert not silences.matching({"a": "b"}, NOW)


def test_silences_come_by_id() -> None:
    silences = Silences([silence("b", "a=b"), silence("c", "a!=c"), silence("a", "a=~b")])
    assert [found.id for found in silences.matching({"a": "b"}, NOW)] == ["a", "b", "c"]
    assert [found.id for found in silences] == ["a", "b", "c"]


def test_an_answer_from_before_a_silences_end_does_not_outlive_it() -> None:
    silences = Silences([silence("s", "a=b"), silence("later", "a=b", HOUR, 2 * HOUR)])
    for _ in range(2):
        assert [found.id for found in silences.matching({"a": "b"}, NOW)] == ["s"]
        assert [found.id for found in silences.matching({"a": "b"}, NOW + HOUR)] == ["later"]
        assert silences.matching({"a": "b"}, NOW + 2 * HOUR) == ()


def test_a_silence_is_found_by_its_id_in_any_state() -> None:
    over = silence("over", "a=b", -2 * HOUR, -HOUR)
    silences = Silences([over])
    assert silences.get("over") is over
    assert silences.get("other") is None


def test_of_two_silences_with_one_id_the_later_counts() -> None:
    silences = Silences([silence("s", "a=old"), silence("s", "a=new")])
    assert len(silences) == 1
    assert not silences.matching({"a": "old"}, NOW)
    assert silences.matching({"a": "new"}, NOW)


def test_no_silences_are_false_and_match_nothing() -> None:
    assert not Silences()
    assert Silences([silence("s", "a=b")])
    assert Silences().matching({"a": "b"}, NOW) == ()


def test_what_is_forgotten_is_found_again() -> None:
    silences = Silences([silence("s", "a=b")])
    assert silences.matching({"a": "b"}, NOW)
    silences.forget()
    assert not silences._memory.answers
    assert silences.matching({"a": "b"}, NOW)
