"""What an HTTP answer means for a delivery: one table for every channel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from msgspec import Struct

from bridge.domain.errors import FailureReason, Permanent, Refused, Retryable

RETRY_AFTER_CAP = 3600.0
_SECONDS = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?", re.ASCII)
_RETRYABLE = frozenset({408, 425, 429})
_REFUSED: Mapping[int, FailureReason] = {
    401: FailureReason.UNAUTHORIZED,
    403: FailureReason.UNAUTHORIZED,
    404: FailureReason.DESTINATION_GONE,
    410: FailureReason.DESTINATION_GONE,
}


class Response(Struct, frozen=True):
    """A service's answer. `headers` finds names in any case. `body` is at most the client's limit.

    `complete` is False when the body was cut off: too long, too slow, or the connection broke. The status counts
    all the same: the service had decided.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool = True


def outcome_of(response: Response, now: datetime | None = None, detail: str = "") -> None:
    """Return for a 2xx, raise for everything else. `detail` is added for people: no secrets, please.

    A `Retry-After` date is measured from the answer's own `Date`, so that clocks need not agree; from `now` without one.

    Raises:
        Retryable: 3xx (never followed: a redirected POST hands the body to somebody else), 408, 425, 429, 5xx and
            what is no final status; with `retry_after` if the service named a time.
        Refused: 401, 403, 404, 410.
        Permanent: every other 4xx.
    """
    status = response.status
    if 200 <= status < 300:
        return
    text = f"HTTP {status}: {detail}" if detail else f"HTTP {status}"
    if status >= 500 or status in _RETRYABLE:
        raise Retryable(_retry_reason(status), text, retry_after=retry_after(response, now))
    if status in _REFUSED:
        raise Refused(_REFUSED[status], text)
    if status >= 400:
        raise Permanent(FailureReason.TOO_LARGE if status == 413 else FailureReason.CONTENT_REFUSED, text)
    if status >= 300:
        raise Retryable(FailureReason.REDIRECT, f"{text}; redirects are not followed: configure the final URL")
    raise Retryable(FailureReason.BAD_RESPONSE, text, unknown=True)


def retry_after(response: Response, now: datetime | None = None) -> float | None:
    """Seconds to wait by the `Retry-After` header (RFC 9110, 10.2.3; fractions are accepted), 0 to an hour.

    None if the header is absent or makes no sense.
    """
    text = response.headers.get("Retry-After", "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), RETRY_AFTER_CAP)
    until, base = _date(text), _date(response.headers.get("Date", "")) or now
    if until is None or base is None:
        return None
    return min(max((until - base).total_seconds(), 0.0), RETRY_AFTER_CAP)


def _retry_reason(status: int) -> FailureReason:
    if status == 429:
        return FailureReason.RATE_LIMITED
    return FailureReason.SERVER_ERROR if status >= 500 else FailureReason.TEMPORARY


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
