"""The walk through the route tree, as it is shown."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.engine.explaining_views import RouteVisit
from bridge.routing.trace import Visit


class Room:
    """How many routes may still be listed. Those that took an alert, or passed it on, always are."""

    def __init__(self, routes: int) -> None:
        self._left = routes

    def shown(self, visit: Visit, labels: Mapping[str, str]) -> RouteVisit:
        below = [one for one in visit.below if one.matched or self._take()]
        refused = visit.refused_by
        return RouteVisit(
            route=visit.route.id,
            receiver=visit.route.receiver,
            matchers=tuple(map(str, visit.route.matchers)),
            continues=visit.route.continues,
            verdict=visit.outcome,
            refused_by=str(refused) if refused is not None else "",
            value=labels.get(refused.name, "") if refused is not None else "",
            ended_by=visit.ended_by,
            routes=tuple(self.shown(one, labels) for one in below),
            left_out=len(visit.below) - len(below),
        )

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0
