"""What planning a request will probably look at, told before it begins.

On a database behind a network a look is a round trip, and those of many requests are made in one. A hook may still
change what is looked at; then it is looked at when it is needed.
"""

from __future__ import annotations

from bridge.domain.alert import Webhook
from bridge.engine.generation import Generation, group_hash
from bridge.routing.tree import find, group_labels
from bridge.storage import alerts, incidents
from bridge.storage.transaction import Expected


def expected(generation: Generation, request: Webhook, *, shared: bool) -> list[Expected]:
    """The state of each alert, and the open incident of each group that it belongs to; nothing unless the database is `shared`."""
    looks: list[Expected] = []
    if not shared:
        return looks
    for alert in request.alerts:
        looks.append(alerts.expected(alert.key))
        for route in find(generation.root, alert.labels):
            digest = group_hash(alert.org, group_labels(route, alert.labels, request.group_labels))
            looks.append(incidents.expected_in_group(alert.source, route.id, digest))
    return looks
