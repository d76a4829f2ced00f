"""Times that Alertmanager's Swagger library takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.ingest.loose_times import parse_loose_time

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "strict"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00:00.000000000Z", "2026-03-01T12:00:00.000000000Z"),
        ("2026-03-01T14:00:00+02:00", "2026-03-01T14:00:00+02:00"),
        ("2026-03-01T14:00:00.000+0200", "2026-03-01T14:00:00.000+02:00"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00Z", "2026-03-01T12:00:00Z"),
        ("2026-03-01T12:00", "2026-03-01T12:00:00Z"),
        ("2026-03-01 12:00:00", "2026-03-01T12:00:00Z"),
    ],
)
def test_every_form_is_read_and_kept_as_rfc_3339(text: str, strict: str) -> None:
    assert parse_loose_time(text) == (NOON, strict)


def test_a_date_is_its_midnight_in_utc() -> None:
    assert parse_loose_time("2026-03-01")[0] == datetime(2026, 3, 1, tzinfo=UTC)


def test_a_fraction_is_cut_to_nanoseconds_in_the_text_and_to_microseconds_in_the_moment() -> None:
    moment, text = parse_loose_time("2026-03-01T12:00:00.123456789123Z")
    assert moment == NOON.replace(microsecond=123456)
    assert text == "2026-03-01T12:00:00.123456789Z"


@pytest.mark.parametrize("text", [None, "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00Z", "0001-01-01"])
def test_nothing_and_year_1_are_not_set(text: str | None) -> None:
    assert parse_loose_time(text) == (None, "")


def test_the_empty_text_is_1970_which_is_set() -> None:
    assert parse_loose_time("") == (datetime(1970, 1, 1, tzinfo=UTC), "1970-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "2026-03-01T12:00+02:00",
        "2026-03-01 12:00",
        "2026-03-01 12:00:00Z",
        "2026-13-01",
        "2026-03-01T25:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "12:00:00",
    ],
)
def test_anything_else_is_no_time_and_is_not_echoed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) no ") as raised:
        parse_loose_time(text)
    assert text not in str(raised.value)
