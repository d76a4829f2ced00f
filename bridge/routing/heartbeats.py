"""Signs of life that are expected: by address, or as an alert that always fires. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.routing.matchers import Matcher, match_all


class Expected(Struct, frozen=True):
    """A heartbeat. With `matchers` it is an alert of `source` (empty for any); `awaited` says that it counts from its first.

    `labels` and `annotations` are those of the alert that tells of its absence.
    """

    name: str
    every: timedelta
    grace: timedelta
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    matchers: tuple[Matcher, ...] = ()
    source: str = ""
    awaited: bool = False

    def due(self, last: datetime) -> datetime:
        """When it is missing, if nothing is heard of it after `last`."""
        return last + self.every + self.grace


class Heartbeats:
    """Those of one configuration."""

    def __init__(self, by_name: Mapping[str, Expected] | None = None) -> None:
        self.by_name: Mapping[str, Expected] = by_name or {}
        self._alerts = tuple(each for each in self.by_name.values() if each.matchers)

    def carried_by(self, source: str, labels: Mapping[str, str]) -> tuple[Expected, ...]:
        """Those that an alert stands for; almost always none."""
        if not self._alerts:
            return ()
        return tuple(each for each in self._alerts if each.source in {"", source} and match_all(each.matchers, labels))
