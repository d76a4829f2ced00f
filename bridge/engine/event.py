"""What a request changes in one incident."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import Alert
from bridge.hooks.api import Transition
from bridge.storage.incidents import Incident


class Event(Struct):
    """Gathered alert by alert, concluded once. `first` says that the incident is made by this event.

    Its alerts carry the labels and annotations that hooks before routing added.
    """

    incident: Incident
    first: bool = False
    severity_before: str = ""
    reopened: bool = False
    opened: list[Alert] = []
    ended: list[Alert] = []
    repeated: list[Alert] = []
    firing: int = 0
    resolved: int = 0

    def reopen(self) -> None:
        """A resolved incident fires again: nobody was told or has acknowledged that, and it escalates from the beginning."""
        self.incident = replace(
            self.incident,
            state="open",
            resolved_at=None,
            resolved_by="",
            acknowledged_at=None,
            acknowledged_by="",
            snoozed_until=None,
            via="",
            escalation="",
            told_at=None,
        )
        self.reopened = True

    @property
    def transition(self) -> Transition:
        if self.opened or self.ended or self.reopened:
            if self.firing == 0:
                return Transition.RESOLVED
            return Transition.OPENED if self.first or self.reopened else Transition.CHANGED
        return Transition.REPEAT

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The alerts the event is about: news, or where there is none, the repeats."""
        return tuple([*self.opened, *self.ended] or self.repeated)


class FlushData(Struct, frozen=True):
    """An event that waits to be judged (again); stored as a timer's data.

    `alerts` are (source, org, fingerprint). `held` is the reason a hook gave, empty if only its turn is awaited. `due` says
    that it is a reminder the route's `repeat_interval` asks for, or word of what a silence or a mute had kept back. `drops`: if it is
    over before it is judged, nobody hears of it.
    """

    transition: Transition
    alerts: tuple[tuple[str, str, str], ...]
    first: bool = False
    held: str = ""
    severity_before: str = ""
    due: bool = False
    drops: bool = False
