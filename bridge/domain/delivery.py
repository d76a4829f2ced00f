"""States of a delivery.

pending ──claim──▶ leased ──▶ sent
   ▲                 │ retry, unknown
   └─────────────────┘
pending ──▶ dead | superseded | cancelled | expired        pending ◀──▶ parked
"""

from __future__ import annotations

from enum import StrEnum

from bridge.domain.message import Reason


class DeliveryState(StrEnum):
    PENDING = "pending"
    LEASED = "leased"
    SENT = "sent"
    DEAD = "dead"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    PARKED = "parked"


ENDS = frozenset(
    {DeliveryState.SENT, DeliveryState.DEAD, DeliveryState.SUPERSEDED, DeliveryState.CANCELLED, DeliveryState.EXPIRED}
)

CANCELLED_BY_ACKNOWLEDGEMENT = frozenset(
    {Reason.OPENED, Reason.CHANGED, Reason.REMINDER, Reason.DIGEST, Reason.ESCALATED}
)

_KEEPS = {
    Reason.OPENED: frozenset({Reason.CHANGED, Reason.REMINDER, Reason.DIGEST, Reason.ESCALATED}),
    Reason.ESCALATED: frozenset({Reason.CHANGED, Reason.REMINDER, Reason.DIGEST}),
}


def merged_reason(queued: Reason, newer: Reason) -> Reason:
    """The reason of a delivery that replaces a queued one: an opening stays an opening until it was told."""
    return queued if newer in _KEEPS.get(queued, frozenset()) else newer
