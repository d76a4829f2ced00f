from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.net import Response, outcome_of, retry_after

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def answer(status: int = 503, headers: Mapping[str, str] | None = None) -> Response:
    return Response(status, CIMultiDict(headers or {}), b"")


@pytest.mark.parametrize("status", range(200, 300))
def test_every_2xx_is_a_success(status: int) -> None:
    outcome_of(answer(status))


@pytest.mark.parametrize("status", [*range(100, 200), *range(300, 600), 0, 600, 999])
def test_every_other_status_is_one_of_three_failures(status: int) -> None:
    with pytest.raises(ChannelError) as caught:
        outcome_of(answer(status))
    if status in {401, 403, 404, 410}:
        assert type(caught.value) is Refused
    elif 400 <= status < 500 and status not in {408, 425, 429}:
        assert type(caught.value) is Permanent
    else:
        assert type(caught.value) is Retryable


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (302, FailureReason.REDIRECT),
        (400, FailureReason.CONTENT_REFUSED),
        (401, FailureReason.UNAUTHORIZED),
        (403, FailureReason.UNAUTHORIZED),
        (404, FailureReason.DESTINATION_GONE),
        (408, FailureReason.TEMPORARY),
        (410, FailureReason.DESTINATION_GONE),
        (413, FailureReason.TOO_LARGE),
        (422, FailureReason.CONTENT_REFUSED),
        (425, FailureReason.TEMPORARY),
        (429, FailureReason.RATE_LIMITED),
        (503, FailureReason.SERVER_ERROR),
        (101, FailureReason.BAD_RESPONSE),
    ],
)
def test_the_reason_names_what_the_status_says(status: int, reason: FailureReason) -> None:
    with pytest.raises(ChannelError) as caught:
        outcome_of(answer(status), detail="the vendor's words")
    assert caught.value.reason is reason
    assert str(status) in caught.value.detail
    assert "the vendor's words" in caught.value.detail


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_a_retryable_answer_carries_its_retry_after(status: int) -> None:
    with pytest.raises(Retryable) as caught:
        outcome_of(answer(status, {"retry-after": "12"}))
    assert caught.value.retry_after == 12.0
    assert not caught.value.unknown


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0.25", 0.25),
        ("3600", 3600.0),
        ("3601", 3600.0),
        ("1000000000", 3600.0),
        ("99999999999999999999", 3600.0),
        ("999999999999999999999999999999", None),
        ("-1", None),
        ("1e3", None),
        ("nan", None),
        ("inf", None),
        ("٣", None),
        ("1, 2", None),
        ("", None),
        ("tomorrow", None),
        ("Sun, 01 Mar 2026 10:00:30 GMT", 30.0),
        ("Sunday, 01-Mar-26 10:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 09:00:00 GMT", 0.0),
        ("Sun, 01 Mar 2026 11:00:30 +0100", 30.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600.0),
        ("Sun, 99 Mar 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_at_most_an_hour(text: str, seconds: float | None) -> None:
    assert retry_after(answer(headers={"Retry-After": text}), NOW) == seconds


def test_without_a_clock_a_date_is_measured_from_the_answers_own() -> None:
    headers = {"Retry-After": format_datetime(NOW + timedelta(seconds=40), usegmt=True)}
    assert retry_after(answer(headers=headers)) is None
    headers["Date"] = format_datetime(NOW, usegmt=True)
    assert retry_after(answer(headers=headers)) == 40.0
    assert retry_after(answer(headers=headers), NOW + timedelta(hours=1)) == 40.0  # clocks need not agree


def test_a_clock_in_another_zone_is_the_same_clock() -> None:
    headers = {"Retry-After": format_datetime(NOW + timedelta(seconds=40), usegmt=True)}
    assert retry_after(answer(headers=headers), NOW.astimezone(timezone(timedelta(hours=5)))) == 40.0


@given(st.text(max_size=40))
def test_no_text_breaks_it(text: str) -> None:
    seconds = retry_after(answer(headers={"Retry-After": text, "Date": text}), NOW)
    assert seconds is None or 0 <= seconds <= 3600
