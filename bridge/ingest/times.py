"""RFC 3339 times as Go programs write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_FORM = re.compile(
    r"(?P<year>[0-9]{4})-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:(?P<second>[0-9]{2})"
    r"(?:\.[0-9]{1,9})?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)
_NEVER_SET = frozenset({"0000", "0001"})  # Go's zero time, in zones west of Greenwich too
_LEAP_SECOND = "60"


@lru_cache(maxsize=4096)
def parse_time(text: str) -> datetime | None:
    """The moment in UTC, cut to microseconds; None for a time in year 1, which means "not set" whatever its offset.

    A leap second is the second after it, as POSIX counts.

    Raises:
        ValueError: no RFC 3339 time, no offset, or no moment that can be counted in UTC; never echoes the text.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("is no RFC 3339 time")
    if match["offset"] is None:
        raise ValueError("has no UTC offset")
    if match["year"] in _NEVER_SET:
        return None
    leaps = match["second"] == _LEAP_SECOND
    if leaps:
        text = text[: match.start("second")] + "59" + text[match.end("second") :]
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
        return moment + timedelta(seconds=1) if leaps else moment
    except (ValueError, OverflowError) as error:
        raise ValueError("is no possible time") from error
