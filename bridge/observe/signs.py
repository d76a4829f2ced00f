"""The metrics of heartbeats and fire drills. Labels are names of the configuration."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct
from prometheus_client import CollectorRegistry, Gauge

_OUTCOMES = ("passed", "failed", "missed")


class Beat(Struct, frozen=True):
    """A heartbeat: when it was heard last, None for never, and whether it is missing."""

    name: str
    last_at: datetime | None
    missing: bool


class Held(Struct, frozen=True):
    """The last drill of a name: when it began, how it ended; times in milliseconds since its beginning, -1 for never."""

    name: str
    at: datetime
    outcome: str
    delivered_ms: int
    acknowledged_ms: int


class Signs:
    """What the database says at this moment: every bridge on it shows the same."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"alertbridge_{name}", f"{text} From the database.", labels, registry=registry)

        self._heard = gauge(
            "heartbeat_last_timestamp_seconds", "When a heartbeat was heard last; absent for never.", "heartbeat"
        )
        self._missing = gauge("heartbeat_missing", "1 while a heartbeat is missing.", "heartbeat")
        self._began = gauge("drill_last_timestamp_seconds", "When the last drill that is over began.", "drill")
        self._outcome = gauge("drill_last_outcome", "1 for how the last drill ended.", "drill", "outcome")
        self._delivered = gauge(
            "drill_last_delivered_seconds", "Until the last drill's messages were delivered; absent for never.", "drill"
        )
        self._acknowledged = gauge(
            "drill_last_acknowledged_seconds", "Until the last drill was acknowledged; absent for never.", "drill"
        )

    def set_heartbeats(self, beats: Iterable[Beat]) -> None:
        """All that are configured. What is not named has gone and disappears."""
        self._heard.clear()
        self._missing.clear()
        for beat in beats:
            self._missing.labels(beat.name).set(beat.missing)
            if beat.last_at is not None:
                self._heard.labels(beat.name).set(beat.last_at.timestamp())

    def set_drills(self, drills: Iterable[Held]) -> None:
        """The last of each that is configured. What is not named has gone and disappears."""
        for gauge in (self._began, self._outcome, self._delivered, self._acknowledged):
            gauge.clear()
        for held in drills:
            self._began.labels(held.name).set(held.at.timestamp())
            for outcome in _OUTCOMES:
                self._outcome.labels(held.name, outcome).set(outcome == held.outcome)
            for gauge, span in ((self._delivered, held.delivered_ms), (self._acknowledged, held.acknowledged_ms)):
                if span >= 0:
                    gauge.labels(held.name).set(span / 1000)
