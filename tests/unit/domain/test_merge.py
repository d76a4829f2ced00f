"""Overlapping reports of one alert."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.domain.merge import Span, merge

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


def span(start: float, end: float, *, timeout: bool = False) -> Span:
    return Span(at(start), at(end), timeout, f"starts {start:g}", f"ends {end:g}")


@pytest.mark.parametrize(
    ("old", "new", "merged"),
    [
        pytest.param(span(-10, 4), span(-5, 5), span(-10, 5), id="a resend keeps the start and moves the end"),
        pytest.param(span(-5, 4), span(-10, 3), span(-10, 4), id="an earlier start of the newer one counts"),
        pytest.param(span(-10, 5), span(-9, -1), span(-10, -1), id="a resolve ends it, though the old end is later"),
        pytest.param(
            span(-10, 5), span(-9, 2, timeout=True), Span(at(-10), at(5), True, "starts -10", "ends 5"),
            id="an end that was named outlives an earlier timeout",
        ),
        pytest.param(
            span(-10, 5, timeout=True), span(-9, 2), span(-10, 2), id="a named end replaces a later timeout"
        ),
        pytest.param(
            span(-10, 5, timeout=True), span(-9, 2, timeout=True), span(-10, 2, timeout=True),
            id="a timeout replaces a later timeout",
        ),
        pytest.param(span(-10, -1), span(-9, -3), span(-10, -1), id="of two resolves the later end counts"),
        pytest.param(span(-10, -3), span(-9, -1), span(-10, -1), id="of two resolves the newer end counts if later"),
        pytest.param(span(-10, -3), span(-2, 5), span(-2, 5), id="a firing after a resolve starts anew"),
        pytest.param(span(-10, -3), span(-3, 5), span(-3, 5), id="a firing from the very end on does not overlap"),
        pytest.param(span(-10, 5), span(-10, 6), span(-10, 6), id="the same start with a later end is no overlap"),
        pytest.param(span(-10, -3), span(-5, 5), span(-10, 5), id="a firing that began before the end goes on"),
        pytest.param(
            span(-10, 5), span(-20, 6, timeout=True), span(-20, 6, timeout=True),
            id="what encloses the old one replaces it",
        ),
    ],
)  # fmt: skip
def test_two_reports_of_an_alert_become_one(old: Span, new: Span, merged: Span) -> None:
    assert merge(old, new, NOW) == merged


def test_an_alert_is_over_from_its_end_on() -> None:
    assert span(-1, 0).is_over(NOW)
    assert not span(-1, 0.001).is_over(NOW)
