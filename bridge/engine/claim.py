"""A delivery is claimed: it is read as it stands now, and what is no longer wanted ends here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from bridge.domain.alert import Status
from bridge.domain.audit import Kind
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT, DeliveryState
from bridge.domain.message import Reason
from bridge.engine.doubt import in_doubt, perhaps_heard
from bridge.storage import deliveries, incidents, replicas
from bridge.storage.deliveries import Claimed
from bridge.storage.incidents import Incident, Member, Told

if TYPE_CHECKING:
    from bridge.engine.work import Work


LEASE = timedelta(seconds=12)
"""How long a claim holds by the database's clock, where the database is shared."""


class Job(Struct, frozen=True):
    """Everything an attempt needs. `incident` is None for a notice of the bridge itself."""

    claimed: Claimed
    incident: Incident | None
    members: tuple[Member, ...]
    receipt: dict[str, str]
    told: bool


_KINDS = {DeliveryState.SUPERSEDED: Kind.SUPERSEDED, DeliveryState.CANCELLED: Kind.CANCELLED}


async def claim(work: Work, ids: Sequence[int]) -> list[Job | None]:
    """For each id its job, None if it is not to be sent any more, or another bridge has it."""
    if work.owner:
        claimed = await replicas.lease(work.tx, ids, work.owner, LEASE, work.now)
    else:
        claimed = await deliveries.claim_all(work.tx, ids)
    about = {found.id: found.incident for found in claimed.values() if found.incident}
    told = await incidents.told_of(work.tx, about) if about else {}
    return [
        await _job(work, claimed[delivery], told.get(delivery)) if delivery in claimed else None for delivery in ids
    ]


async def _job(work: Work, claimed: Claimed, about: Told | None) -> Job | None:
    if not claimed.incident:
        return Job(claimed, None, (), {}, told=False)
    if about is None:
        await _end(work, claimed, DeliveryState.SUPERSEDED, "incident_gone")
        return None
    incident, members = about.incident, about.members
    unwanted = still_wanted(claimed, incident, members)
    if unwanted is not None:
        if unwanted[0] is DeliveryState.CANCELLED:
            # The acknowledgement left it alone because it was under way, perhaps before a crash.
            await perhaps_heard(work, claimed.incident, claimed.channel, claimed.reason, members)
        await _end(work, claimed, *unwanted)
        return None
    return Job(claimed, incident, members, about.receipt, told=about.told or in_doubt(work, claimed))


def still_wanted(claimed: Claimed, incident: Incident, members: Sequence[Member]) -> tuple[DeliveryState, str] | None:
    """Why a claimed delivery is not to be sent, None if it is."""
    if incident.state == "resolved" and claimed.reason in CANCELLED_BY_ACKNOWLEDGEMENT:
        return DeliveryState.SUPERSEDED, "newer_state"
    if acknowledged_since(incident, claimed):
        return DeliveryState.CANCELLED, "acknowledged"
    if claimed.reason is Reason.RESOLVED and incident.state != "resolved":
        return DeliveryState.SUPERSEDED, "newer_state"
    if claimed.reason is Reason.RESOLVED and not members:
        return DeliveryState.SUPERSEDED, "nothing_new"
    told = all(member.told and member.alert.status is Status.FIRING for member in members)
    if claimed.reason is Reason.CHANGED and not claimed.attempts and told:
        return DeliveryState.SUPERSEDED, "nothing_new"  # after an attempt, told may mean no more than perhaps told
    return None


def acknowledged_since(incident: Incident, claimed: Claimed) -> bool:
    """Whether the delivery is noise that an acknowledgement stopped: planned before it, and no resolve."""
    acknowledged = incident.acknowledged_at if incident.state == "acknowledged" else None
    return (
        acknowledged is not None
        and claimed.reason in CANCELLED_BY_ACKNOWLEDGEMENT
        and claimed.created_at <= acknowledged
    )


async def _end(work: Work, claimed: Claimed, state: DeliveryState, reason: str) -> None:
    await deliveries.drop(work.tx, claimed, state, reason, work.now)
    work.record(_KINDS[state], incident=claimed.incident, delivery=claimed.id, channel=claimed.channel, reason=reason)
