"""What a check of `make faults` gives."""

from __future__ import annotations

import msgspec

Figures = dict[str, float]


class Result(msgspec.Struct):
    """Figures, and what did not hold."""

    figures: Figures
    problems: list[str]
