"""What `POST /api/v2/silences` says, and how it is told what is missing."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bridge.ingest.posted_silence import parse_silence
from bridge.ingest.swagger import SwaggerError

GOOD: dict[str, object] = {
    "matchers": [{"name": "alertname", "value": "A", "isRegex": False}],
    "startsAt": "2026-03-01T12:00:00Z",
    "endsAt": "2026-03-01T13:00:00.5Z",
    "createdBy": "alice",
    "comment": "deploy",
}


def refusal(document: object) -> tuple[int, int, str]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(SwaggerError) as raised:
        parse_silence(body)
    return raised.value.status, raised.value.code, str(raised.value)


def test_a_silence_is_read_whole() -> None:
    found = parse_silence(json.dumps({**GOOD, "annotations": {"ticket": "7", "x": None}, "unknown": 1}).encode())
    assert (found.id, found.created_by, found.comment) == ("", "alice", "deploy")
    assert found.matchers == (("alertname", "=", "A"),)
    assert found.starts_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert found.ends_at == datetime(2026, 3, 1, 13, 0, 0, 500_000, tzinfo=UTC)
    assert found.annotations == {"ticket": "7", "x": ""}


@pytest.mark.parametrize(
    ("flags", "operator"),
    [
        ({"isRegex": False}, "="),
        ({"isRegex": True}, "=~"),
        ({"isRegex": False, "isEqual": True}, "="),
        ({"isRegex": False, "isEqual": False}, "!="),
        ({"isRegex": True, "isEqual": True}, "=~"),
        ({"isRegex": True, "isEqual": False}, "!~"),
        ({"isRegex": True, "isEqual": None}, "=~"),
    ],
)
def test_a_matcher_is_equal_unless_it_says_otherwise(flags: dict[str, bool], operator: str) -> None:
    body = {**GOOD, "matchers": [{"name": "a", "value": "b", **flags}]}
    assert parse_silence(json.dumps(body).encode()).matchers == (("a", operator, "b"),)


@pytest.mark.parametrize("key", ["comment", "createdBy", "endsAt", "matchers", "startsAt"])
@pytest.mark.parametrize("value", [None, "absent"])
def test_a_key_that_is_missing_or_null_is_named(key: str, value: str | None) -> None:
    document = {name: found for name, found in GOOD.items() if name != key}
    if value is None:
        document[key] = None
    assert refusal(document) == (422, 602, f"{key} in body is required")


def test_of_several_missing_keys_alertmanagers_first_is_named() -> None:
    assert refusal({}) == (422, 602, "comment in body is required")
    assert refusal(b"null") == (422, 602, "comment in body is required")
    assert refusal({"comment": ""}) == (422, 602, "createdBy in body is required")


def test_matchers_are_looked_at_one_by_one() -> None:
    assert refusal({**GOOD, "matchers": []}) == (422, 612, "matchers in body should have at least 1 items")
    good = {"name": "a", "value": "b", "isRegex": False}
    for key in ("isRegex", "name", "value"):
        bad = {name: found for name, found in good.items() if name != key}
        assert refusal({**GOOD, "matchers": [good, bad]}) == (422, 602, f"matchers.1.{key} in body is required")
    assert refusal({**GOOD, "matchers": [None]}) == (422, 602, "matchers.0.isRegex in body is required")


def test_empty_texts_and_year_1_are_there() -> None:
    body = json.dumps({**GOOD, "comment": "", "createdBy": "", "startsAt": "0001-01-01T00:00:00.000Z"}).encode()
    found = parse_silence(body)
    assert (found.comment, found.created_by, found.starts_at) == ("", "", None)


@pytest.mark.parametrize(
    "document",
    [
        b"[]", b"x", b'{"comment":"\xff"}', b"{" * 10_000, {**GOOD, "startsAt": "soon"}, {**GOOD, "comment": 5},
        {**GOOD, "matchers": [{"name": "a", "value": "b", "isRegex": "no"}]},
    ],
)  # fmt: skip
def test_what_is_of_a_wrong_type_is_unreadable(document: object) -> None:
    status, code, message = refusal(document)
    assert (status, code) == (400, 400)
    assert message.startswith('parsing silence body from "" failed, because ')
    assert "soon" not in message


def test_no_body_is_a_missing_silence() -> None:
    assert refusal(b"") == (422, 602, "silence in body is required")


def test_nul_is_cut_out_of_what_a_database_keeps_as_text() -> None:
    found = parse_silence(json.dumps({**GOOD, "comment": "a\0b", "createdBy": "\0me"}).encode())
    assert (found.comment, found.created_by) == ("ab", "me")
