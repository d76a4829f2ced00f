"""What committed transactions brought about is counted in the metrics."""

from __future__ import annotations

from bridge.engine.work import Effects
from bridge.observe.metrics import Metrics


class Counting:
    """Follows transactions."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def follow(self, effects: Effects) -> None:
        for route, reason in effects.notified:
            self._metrics.notification(route, reason)
        for hook, reason in effects.suppressed:
            self._metrics.suppressed(hook, reason)
        for route, seconds in effects.acknowledged:
            self._metrics.time_to_acknowledge(route, seconds)
        for name, outcome in effects.drilled:
            self._metrics.drill(name, outcome)
        for route, seconds in effects.resolved:
            self._metrics.time_to_resolve(route, seconds)
