"""Points in time as the database keeps them: whole microseconds since 1970, UTC."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_unique = random.Random(os.urandom(32))  # noqa: S311 - for ids, not for secrets


def micros(moment: datetime) -> int:
    """A moment with a zone → microseconds since 1970. Exact over the whole range of datetime."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """Microseconds since 1970 → a moment in UTC."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_micros(value: datetime | None) -> int | None:
    return None if value is None else micros(value)


def maybe_moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def new_id(now: datetime) -> str:
    """An opaque id, 26 hex digits, that sorts by time of making. Unique, not secret."""
    return f"{micros(now):014x}{_unique.getrandbits(48):012x}"
