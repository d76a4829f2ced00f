"""Durations as Prometheus writes them: `30s`, `5m`, `1h30m`, `7d`, `0`."""

from __future__ import annotations

import re
from datetime import timedelta

_FORM = re.compile(
    r"(?:(?P<y>\d{1,4})y)?(?:(?P<w>\d{1,6})w)?(?:(?P<d>\d{1,7})d)?(?:(?P<h>\d{1,9})h)?(?:(?P<m>\d{1,9})m)?"
    r"(?:(?P<s>\d{1,10})s)?(?:(?P<ms>\d{1,12})ms)?"
)
_MILLISECONDS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1000,
    "ms": 1,
}


def parse_duration(text: str) -> timedelta:
    """`1h30m` → 90 minutes. Units y w d h m s ms in that order, no fractions, no sign; `0` needs no unit.

    Raises:
        ValueError: the text is no duration; the message shows the form.
    """
    if text == "0":
        return timedelta()
    match = _FORM.fullmatch(text)
    if match is None or not text:
        raise ValueError(f"{text!r} is not a duration; write it like 30s, 5m, 1h30m or 7d")
    total = sum(int(number) * _MILLISECONDS[unit] for unit, number in match.groupdict().items() if number)
    try:
        return timedelta(milliseconds=total)
    except OverflowError as error:
        raise ValueError(f"{text!r} is too long a duration") from error


def format_duration(span: timedelta) -> str:
    """The shortest Prometheus form: 90 minutes → `1h30m`. Below a millisecond is cut off."""
    rest = span // timedelta(milliseconds=1)
    if rest == 0:
        return "0s"
    parts = []
    for unit, size in _MILLISECONDS.items():
        if unit in {"y", "w"} and rest % size:  # as Prometheus: years and weeks only where they fit exactly
            continue
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts)
