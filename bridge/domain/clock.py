"""Where `now` comes from: the machine in production, a dial in tests."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the time of day, always in UTC."""

    def now(self) -> datetime:
        """The present moment, with a zone."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
