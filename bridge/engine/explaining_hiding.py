"""Everything that keeps an alert from people at one moment, in the order in which the bridge asks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from bridge.domain.alert import Alert, Status
from bridge.engine.explaining_state import Source, State
from bridge.engine.explaining_views import Obstacle
from bridge.engine.generation import Generation
from bridge.engine.muting import INHIBITED, MUTED, SILENCED
from bridge.routing.inhibition import Side
from bridge.routing.intervals import muted_by, unmuted_at
from bridge.routing.matchers import format_matchers
from bridge.routing.route import Route
from bridge.routing.silences import Silence, Silences

_LABELS_SHOWN = 8


class Hiding(Struct, frozen=True):
    """What may hide alerts: silences, what fires by the database, and the supposed alerts themselves."""

    generation: Generation
    silences: Silences
    state: State
    supposed: Sequence[Alert]
    mutes: dict[tuple[str, datetime], tuple[Obstacle, ...]] = {}

    def obstacles(self, alert: Alert, route: Route, at: datetime) -> tuple[Obstacle, ...]:
        """What hides a firing alert on a route: inhibition, the route's intervals, silences."""
        silences = self.silences.matching(alert.labels, at)
        return (*self._inhibitions(alert), *self._mutes(route, at), *map(_silenced, silences))

    def _mutes(self, route: Route, at: datetime) -> tuple[Obstacle, ...]:
        """Worked out once: that an interval never holds again takes long to see."""
        found = self.mutes.get((route.id, at))
        if found is None:
            intervals = self.generation.intervals
            names = muted_by(route, intervals, at)
            over = unmuted_at(route, intervals, at) if names else None
            outside = names == route.active_time_intervals
            detail = (
                "outside its route's active_time_intervals" if outside else "inside its route's mute_time_intervals"
            )
            found = self.mutes[route.id, at] = tuple(Obstacle(MUTED, name, detail, over) for name in names)
        return found

    def _inhibitions(self, alert: Alert) -> list[Obstacle]:
        found: dict[str, Obstacle] = {}
        for side in self.generation.inhibition.targets(alert.labels):
            source = self.state.inhibitor(alert, side) or self._among_supposed(alert, side)
            if source is not None:
                detail = f"{_written(source.labels)} fires"
                found.setdefault(source.fingerprint, Obstacle(INHIBITED, source.fingerprint, detail))
        return list(found.values())

    def _among_supposed(self, alert: Alert, side: Side) -> Source | None:
        for other in self.supposed:
            if other.key == alert.key or other.status is not Status.FIRING:
                continue
            for theirs in self.generation.inhibition.sources(other.labels):
                same = (theirs.rule, theirs.equals) == (side.rule, side.equals)
                if same and not (side.both and theirs.both):
                    return Source(other.fingerprint, other.labels)
        return None


def _silenced(silence: Silence) -> Obstacle:
    comment = f": {silence.comment}" if silence.comment else ""
    detail = f"{format_matchers(silence.matchers)} by {silence.created_by or 'somebody'}{comment}"
    return Obstacle(SILENCED, silence.id, detail, silence.ends_at)


def _written(labels: Mapping[str, str]) -> str:
    pairs = sorted(labels.items(), key=lambda pair: (pair[0] != "alertname", pair[0]))
    return ", ".join(f"{name}={value}" for name, value in pairs[:_LABELS_SHOWN])
