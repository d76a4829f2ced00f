"""When a failed delivery is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

from tenacity import RetryCallState, Retrying, wait_chain, wait_fixed, wait_random

_JITTER = 0.2
_WAITS = wait_chain(
    *(wait_fixed(seconds) for seconds in (1, 2, 5, 10, 30, 60)),
    wait_random(120, 300),
)
_RETRYING = Retrying()
RETRY_AFTER_CAP = timedelta(hours=1)


def wait_before(attempt: int, retry_after: float | None, rng: random.Random) -> timedelta:
    """How long to wait after the failure of the counted attempt number `attempt` (from 1).

    About 1, 2, 5, 10, 30, 60 s, then two to five minutes; ±20 % so that many deliveries do not return together.
    A service's own `retry_after` (seconds) is a lower bound, believed up to an hour.
    """
    state = RetryCallState(_RETRYING, None, (), {})
    state.attempt_number = max(1, attempt)
    wait = _WAITS(state) * rng.uniform(1 - _JITTER, 1 + _JITTER)
    return timedelta(seconds=max(wait, believed(retry_after)))


def believed(retry_after: float | None) -> float:
    """What a service asks for, in seconds: at most an hour; 0 if it asks for nothing, or for no number."""
    return min(retry_after, RETRY_AFTER_CAP.total_seconds()) if retry_after is not None and retry_after > 0 else 0.0


def gives_up(created_at: datetime, now: datetime, give_up_after: timedelta) -> bool:
    """Whether a delivery's time is over. Time decides, never a count of attempts."""
    return now - created_at >= give_up_after
