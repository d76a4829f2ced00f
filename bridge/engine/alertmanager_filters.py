"""What a question to API v2 asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from bridge.engine.alertmanager_shapes import AlertStatus
from bridge.routing.matchers import Matcher, match_all
from bridge.routing.silences import Silence

_ORDER = {"active": 0, "pending": 1, "expired": 2}


class AlertFilter(Struct, frozen=True):
    """Alerts in these states whose labels meet all of `matchers`.

    `receiver` and `receiver_matchers` are matchers on the label `name` of one of its receivers, which is the receiver's name.
    """

    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True
    matchers: tuple[Matcher, ...] = ()
    receiver: Matcher | None = None
    receiver_matchers: tuple[Matcher, ...] = ()

    def takes_receiver(self, names: Sequence[str]) -> bool:
        """Whether one of the receivers is asked for."""
        by_name = self.receiver is None or any(self.receiver.accepts(name) for name in names)
        return by_name and (
            not self.receiver_matchers or any(match_all(self.receiver_matchers, {"name": name}) for name in names)
        )

    def takes_status(self, status: AlertStatus) -> bool:
        if not self.active and not (status.silenced_by or status.inhibited_by):
            return False
        return (self.silenced or not status.silenced_by) and (self.inhibited or not status.inhibited_by)


class SilenceFilter(Struct, frozen=True):
    """Silences in these states that have every one of `matchers` among their own."""

    active: bool = True
    pending: bool = True
    expired: bool = True
    matchers: tuple[Matcher, ...] = ()

    def takes(self, silence: Silence, now: datetime) -> bool:
        wanted = {"active": self.active, "pending": self.pending, "expired": self.expired}
        return wanted[silence.state(now)] and all(matcher in silence.matchers for matcher in self.matchers)


def in_order(silences: Sequence[Silence], now: datetime) -> list[Silence]:
    """Active ones that end first, then those that begin first, then those that ended last."""

    def key(silence: Silence) -> tuple[int, float]:
        state = silence.state(now)
        at = silence.starts_at if state == "pending" else silence.ends_at
        return _ORDER[state], -at.timestamp() if state == "expired" else at.timestamp()

    return sorted(silences, key=key)
