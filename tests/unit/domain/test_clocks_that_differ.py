"""A sender's clock and ours may differ: an incident must end all the same."""

from __future__ import annotations

from datetime import timedelta

from bridge.domain.episode import News, reduce
from tests.bridge_bench import START, firing, resolved


def test_an_alert_from_a_clock_ahead_of_ours_still_ends() -> None:
    ahead = START + timedelta(minutes=5)
    _news, known = reduce(None, firing(at=ahead), START)

    news, after = reduce(known, resolved(at=ahead, end=ahead + timedelta(minutes=2)), START + timedelta(minutes=2))

    assert news is News.RESOLVED
    assert after is not None
    assert after.ends_at is not None
