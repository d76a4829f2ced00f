from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.ingest.times import parse_time


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-01T10:00:00Z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01t10:00:00z", datetime(2026, 3, 1, 10, tzinfo=UTC)),
        ("2026-03-01T10:00:00.1Z", datetime(2026, 3, 1, 10, 0, 0, 100_000, tzinfo=UTC)),
        ("2026-03-01T10:00:00.123456789Z", datetime(2026, 3, 1, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-03-01T12:00:00.5+02:00", datetime(2026, 3, 1, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-03-01T00:30:00-23:59", datetime(2026, 3, 2, 0, 29, tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999999Z", datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2017, 1, 1, tzinfo=UTC)),
        ("2016-12-31T23:59:60.25Z", datetime(2017, 1, 1, 0, 0, 0, 250_000, tzinfo=UTC)),
        ("1970-01-01T00:00:00Z", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_into_utc(text, expected):
    assert parse_time(text) == expected


@pytest.mark.parametrize("fraction", ["", *("." + "123456789"[:digits] for digits in range(1, 10))])
def test_nought_to_nine_digits_of_a_fraction_are_read(fraction):
    found = parse_time(f"2026-03-01T10:00:00{fraction}Z")
    assert found is not None
    assert found.microsecond == int((fraction[1:] + "000000")[:6])


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00.000Z",
        "0001-01-01T00:00:00+00:00",
        "0001-01-01T05:30:00+05:30",
        "0001-01-01T00:00:00-12:00",
        "0000-12-31T19:03:58-04:56",
    ],
)
def test_year_one_means_not_set_whatever_its_offset(text):
    assert parse_time(text) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "no RFC 3339 time"),
        ("yesterday", "no RFC 3339 time"),
        ("2026-03-01", "no RFC 3339 time"),
        ("2026-03-01 10:00:00Z", "no RFC 3339 time"),
        ("2026-03-01T10:00Z", "no RFC 3339 time"),
        ("2026-W09-7T10:00:00Z", "no RFC 3339 time"),
        ("2026-03-01T10:00:00.Z", "no RFC 3339 time"),
        ("2026-03-01T10:00:00,5Z", "no RFC 3339 time"),
        ("2026-03-01T10:00:00.1234567890Z", "no RFC 3339 time"),
        ("2026-03-01T10:00:00Z\n", "no RFC 3339 time"),
        ("٢٠٢٦-03-01T10:00:00Z", "no RFC 3339 time"),
        ("20260-03-01T10:00:00Z", "no RFC 3339 time"),
        ("2026-03-01T10:00:00", "no UTC offset"),
        ("2026-02-30T10:00:00Z", "no possible time"),
        ("2026-03-01T24:00:01Z", "no possible time"),
        ("2026-03-01T10:00:61Z", "no possible time"),
        ("2026-03-01T10:00:00+24:00", "no possible time"),
        ("9999-12-31T23:59:59-01:00", "no possible time"),
        ("9999-12-31T23:59:60Z", "no possible time"),
    ],
)
def test_what_is_no_moment_is_refused_with_the_reason(text, problem):
    with pytest.raises(ValueError, match=problem.replace("no UTC", "has no UTC")) as caught:
        parse_time(text)
    assert not text or text not in str(caught.value)
