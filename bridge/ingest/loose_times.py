"""Times as Alertmanager's API v2 takes them: RFC 3339, and what its Swagger library reads besides.

Source: go-openapi/strfmt `ParseDateTime` and `DateTimeFormats`.
"""

from __future__ import annotations

import re
from datetime import datetime

from bridge.ingest.times import parse_time

_FORM = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:(?P<between>[T ])(?P<minute>[0-9]{2}:[0-9]{2})(?::(?P<second>[0-9]{2})(?P<fraction>\.[0-9]+)?)?"
    r"(?P<offset>Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_EMPTY = "1970-01-01T00:00:00Z"
_NANOSECONDS = 10  # characters of a fraction with its point


def parse_loose_time(text: str | None) -> tuple[datetime | None, str]:
    """The moment in UTC, cut to microseconds, and the text as RFC 3339; None and nothing if it is not set.

    Not set are None and year 1. The empty text is 1970, as in Alertmanager. Without an offset the time is in UTC.

    Raises:
        ValueError: it is none of the forms, or no possible time; never echoes the text.
    """
    if text is None:
        return None, ""
    strict = strictly(text) if text else _EMPTY
    moment = parse_time(strict)
    return (None, "") if moment is None else (moment, strict)


def strictly(text: str) -> str:
    """The same time with seconds and an offset.

    Raises:
        ValueError: it has none of the forms.
    """
    match = _FORM.fullmatch(text)
    if match is None or not _is_a_form(match):
        raise ValueError("is no RFC 3339 time")
    date, minute, second = match["date"], match["minute"] or "00:00", match["second"] or "00"
    fraction, offset = (match["fraction"] or "")[:_NANOSECONDS], match["offset"] or "Z"
    if len(offset) == len("+0000"):
        offset = f"{offset[:3]}:{offset[3:]}"
    return f"{date}T{minute}:{second}{fraction}{offset}"


def _is_a_form(match: re.Match[str]) -> bool:
    """A blank needs seconds and has no offset; without seconds there is no offset but Z."""
    if match["between"] == " ":
        return match["second"] is not None and match["offset"] is None
    return match["second"] is not None or match["offset"] in {None, "Z"}
