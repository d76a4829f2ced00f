"""When a source opens more incidents than people can read of, and what they are told instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import Enum

from msgspec import Struct

from bridge.domain.duration import format_duration

GROUP = "storm"
"""Stands in the place of a group's hash: no group has it."""
ALERT = "AlertbridgeStorm"
LONGEST_WAIT = timedelta(minutes=10)
_MAX_WORD = 80


class Span(Struct, frozen=True):
    """How many incidents a source opened in the span of time that runs since `began_at`, and in the one before it."""

    began_at: datetime
    opened: int = 0
    before: int = 0

    def one_more(self, now: datetime, per: timedelta) -> Span:
        """After one more incident; `per` is the length of a span."""
        present = self.at(now, per)
        return Span(present.began_at, present.opened + 1, present.before)

    def at(self, now: datetime, per: timedelta) -> Span:
        """The same as it stands at a later time."""
        passed = (now - self.began_at) // per
        if passed <= 0:
            return self
        return Span(self.began_at + passed * per, 0, self.opened if passed == 1 else 0)

    def rate(self, now: datetime, per: timedelta) -> float:
        """Incidents within the last `per`, taking those of the span before as evenly spread."""
        present = self.at(now, per)
        left = 1 - min(1.0, max(0.0, (now - present.began_at) / per))
        return present.opened + present.before * left


class Severe(Struct, frozen=True):
    """How many incidents of a severity came, and how many are open."""

    severity: str
    total: int
    open: int


class Tally(Struct, frozen=True):
    """What came in a storm for one channel. `names` and `routes` are the most frequent, with how many."""

    severe: tuple[Severe, ...] = ()
    names: tuple[tuple[str, int], ...] = ()
    routes: tuple[tuple[str, int], ...] = ()

    @property
    def total(self) -> int:
        return sum(entry.total for entry in self.severe)

    @property
    def open(self) -> int:
        return sum(entry.open for entry in self.severe)


class Phase(Enum):
    """A storm lasts, is over though incidents of it are open, or is past and all is resolved."""

    LASTS = "lasts"
    OVER = "over"
    PAST = "past"


class Storm(Struct, frozen=True):
    """What all channels are told alike. `most` incidents within `per` would not have been a storm."""

    source: str
    began_at: datetime
    most: int
    per: timedelta
    phase: Phase
    link: str


def words(storm: Storm, tally: Tally, order: Sequence[str]) -> str:
    """The digest: its first line is the title. `order` is the severities, the worst first."""
    source, since = _word(storm.source), f"{storm.began_at:%Y-%m-%d %H:%M:%S} UTC"
    count = f"{tally.total} new incidents" if tally.total != 1 else "1 new incident"
    if storm.phase is Phase.PAST:
        return f"Storm past: all {tally.total} incidents from {source} since {since} are resolved"
    if storm.phase is Phase.OVER:
        lines = [f"Storm over: of {count} from {source}, {tally.open} still open"]
    else:
        lines = [f"Storm: {count} from {source}, {tally.open} open"]
    lines.append(
        f"Since {since} more than {storm.most} came within {format_duration(storm.per)}:"
        " they are told together, not one by one."
    )
    worst = sorted(
        tally.severe, key=lambda entry: order.index(entry.severity) if entry.severity in order else len(order)
    )
    lines.append("Open by severity: " + _counted([(entry.severity or "none", entry.open) for entry in worst]))
    lines.append("Most frequent of late: " + _counted(tally.names))
    if len(tally.routes) > 1:
        lines.append("By route of late: " + _counted(tally.routes))
    lines.append(f"All of them: {storm.link}")
    return "\n".join(lines)


def next_wait(wait: timedelta, per: timedelta) -> timedelta:
    """How long until the next look when the storm is over: twice as long each time, up to ten minutes."""
    return min(2 * wait, max(per, LONGEST_WAIT))


def _counted(counts: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{_word(name) or 'none'} {number}" for name, number in counts) or "none"


def _word(text: str) -> str:
    """Alert text on one line, cut to what a list bears."""
    shown = " ".join("".join(one if one.isprintable() else " " for one in text[: 2 * _MAX_WORD]).split())
    return shown if len(shown) <= _MAX_WORD else f"{shown[: _MAX_WORD - 1]}…"
