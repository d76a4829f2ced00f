"""Durations without keeping them: how many, how long together, and how they are spread, to 2 %."""

from __future__ import annotations

import math
from collections import Counter

_STEP = math.log(1.02)
_SHORTEST = 0.01


class Spread:
    """Takes durations in seconds. Its size is bounded whatever it takes."""

    def __init__(self) -> None:
        self.count = 0
        self._total = 0.0
        self._counts: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        self.count += 1
        self._total += seconds
        self._counts[math.ceil(math.log(max(seconds, _SHORTEST)) / _STEP)] += 1

    def mean(self) -> float | None:
        """None where there are none."""
        return self._total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The least duration that `share` of all do not exceed, at most 2 % too long. None where there are none."""
        wanted = max(1, math.ceil(share * self.count))
        seen = 0
        for place in sorted(self._counts):
            seen += self._counts[place]
            if seen >= wanted:
                return math.exp(place * _STEP)
        return None
