"""What can be asked of incidents, deliveries and the audit; on the last committed state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial

import msgspec

from bridge.domain.errors import FailureReason, NotFound
from bridge.domain.message import Reason
from bridge.domain.moment import moment
from bridge.engine.incident_trace import pending, shown, told
from bridge.engine.transactions import Units
from bridge.engine.views import (
    AlertCounts,
    DeliveryPage,
    DeliveryView,
    IncidentDetail,
    IncidentPage,
    IncidentSummary,
    TimelineEntry,
)
from bridge.routing.matchers import match_all, parse_matchers
from bridge.storage import deliveries, incidents, on_call
from bridge.storage.deliveries import Stored, Wanted
from bridge.storage.incidents import Incident
from bridge.storage.transaction import Row, Tx

INCIDENT_STATES = ("open", "acknowledged", "snoozed", "resolved")
_ENDS = ("newer_state", "nothing_new", "rerouted", "incident_gone")
DELIVERY_REASONS = tuple(
    dict.fromkeys((*(reason.value for reason in Reason), *(reason.value for reason in FailureReason), *_ENDS))
)
"""Why people are to be told, and why a delivery ended or waits."""
DELIVERY_STATES = ("pending", "leased", "sent", "dead", "superseded", "cancelled", "expired", "parked")
_ANY = Wanted()
_DELIVERIES_SHOWN = 1000
_TIMELINE_SHOWN = 1000
_AUDIT_PAGE = 1000
_AUDIT_FIELDS = (
    "seq", "chain", "at", "kind", "actor", "source", "incident", "delivery", "channel", "attempt", "reason", "digest",
    "detail", "hash",
)  # fmt: skip
_ENCODER = msgspec.json.Encoder()


class Queries:
    """Reads for the API and the command line."""

    def __init__(self, transactions: Units) -> None:
        self._transactions = transactions

    async def incidents(
        self, *, states: Sequence[str] = (), query: str = "", cursor: str = "", limit: int = 100
    ) -> IncidentPage:
        """Newest first. `query` is a list of matchers on the incident's labels, or text looked for in their values.

        `cursor` is an earlier page's `next`.
        """
        wanted = _filter(query)
        found: list[Incident] = []

        async def pages(tx: Tx) -> str | None:
            before = cursor
            while len(found) <= limit:
                page = await incidents.page(tx, before, list(states) or list(INCIDENT_STATES), limit + 1)
                found.extend(incident for incident in page if wanted(incident))
                if len(page) <= limit:
                    return None
                before = page[-1].id
            return found[limit - 1].id

        following = await self._transactions.read(pages)
        return IncidentPage(tuple(summary(incident) for incident in found[:limit]), following)

    async def incident(self, incident: str, *, note: str = "") -> IncidentDetail:
        """One incident with alerts, deliveries and timeline.

        Raises:
            NotFound: no such incident.
        """

        async def load(tx: Tx) -> IncidentDetail:
            found = await incidents.get(tx, incident)
            if found is None:
                raise NotFound(f"no incident {incident[:40]}")
            members = await incidents.members(tx, found.id)
            sent = await deliveries.page(tx, 0, DELIVERY_STATES, Wanted(incident=found.id), _DELIVERIES_SHOWN)
            rows = await tx.all("audit_of_incident", found.id, _TIMELINE_SHOWN)
            timeline = tuple(
                TimelineEntry(row[0], moment(row[1]), row[2], row[3], row[4], row[5], row[6], row[7], row[8])
                for row in rows
            )
            return IncidentDetail(
                summary(found),
                await shown(tx, members),
                tuple(_delivery(one) for one in sent),
                timeline,
                note,
                await told(tx, found, members),
                await pending(tx, found, members),
                tuple(await on_call.comments(tx, found.id)),
                tuple(await on_call.responders(tx, found.id)),
            )

        return await self._transactions.read(load)

    async def deliveries(
        self,
        *,
        states: Sequence[str] = (),
        wanted: Wanted = _ANY,
        cursor: str = "",
        limit: int = 100,
    ) -> DeliveryPage:
        """Newest first. `cursor` is an earlier page's `next`."""
        before = int(cursor) if cursor.isdecimal() else 0
        among = list(states) or DELIVERY_STATES
        found = await self._transactions.read(lambda tx: deliveries.page(tx, before, among, wanted, limit + 1))
        following = str(found[limit - 1].id) if len(found) > limit else None
        return DeliveryPage(tuple(_delivery(one) for one in found[:limit]), following)

    async def delivery(self, delivery: str) -> DeliveryView:
        """One delivery.

        Raises:
            NotFound: no such delivery.
        """
        number = int(delivery) if delivery.isdecimal() and len(delivery) < 19 else 0
        found = await self._transactions.read(lambda tx: deliveries.get(tx, number))
        if found is None:
            raise NotFound(f"no delivery {delivery[:40]}")
        return _delivery(found)

    async def audit(self, *, since_seq: int = 0, kind: str = "", incident: str = "") -> AsyncIterator[bytes]:
        """Records after a sequence number, as NDJSON lines, read page by page."""
        while True:
            values = (since_seq, kind, kind, incident, incident, _AUDIT_PAGE)
            rows = await self._transactions.read(partial(_audit_page, values=values))
            for row in rows:
                yield _ENCODER.encode(dict(zip(_AUDIT_FIELDS, _readable(row), strict=True))) + b"\n"
            if len(rows) < _AUDIT_PAGE:
                return
            since_seq = rows[-1][0]


def summary(incident: Incident) -> IncidentSummary:
    return IncidentSummary(
        id=incident.id,
        state=incident.state,
        source=incident.source,
        route=incident.route,
        receiver=incident.receiver,
        group_labels=incident.group_labels,
        labels=incident.labels,
        severity=incident.severity,
        opened_at=incident.opened_at,
        acknowledged_by=incident.acknowledged_by or None,
        resolved_at=incident.resolved_at,
        alerts=AlertCounts(incident.firing, incident.resolved),
        snoozed_until=incident.snoozed_until if incident.state == "snoozed" else None,
        owner=incident.owner or None,
    )


def _filter(query: str) -> Callable[[Incident], bool]:
    try:
        matchers = parse_matchers(query) if query.strip() else ()
    except ValueError:
        text = query.casefold()
        return lambda incident: any(text in value.casefold() for value in incident.labels.values())
    return lambda incident: match_all(matchers, incident.labels)


def _delivery(one: Stored) -> DeliveryView:
    return DeliveryView(
        id=str(one.id),
        incident=one.incident,
        channel=one.channel,
        receiver=one.receiver,
        reason=one.reason,
        state=one.state,
        end_reason=one.end_reason,
        attempts=one.attempts,
        created_at=one.created_at,
        due_at=one.due_at,
        ended_at=one.ended_at,
        last_error=one.last_error,
        person=one.person,
    )


async def _audit_page(tx: Tx, values: tuple[int | str, ...]) -> list[Row]:
    return await tx.all("audit_since", *values)


def _readable(row: Row) -> Row:
    return (*row[:2], moment(row[2]), *row[3:13], row[13].lower())
