"""A delivery is claimed: it is read as it stands now, and what is no longer wanted ends here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from bridge.domain.alert import Status
from bridge.domain.audit import Kind
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT, DeliveryState
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.domain.storm import GROUP
from bridge.engine import groups, muting
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


Hidden = tuple[str, int]
"""(incident, alert's number)."""
_KINDS = {DeliveryState.SUPERSEDED: Kind.SUPERSEDED, DeliveryState.CANCELLED: Kind.CANCELLED}


async def claim(work: Work, ids: Sequence[int]) -> list[Job | None]:
    """For each id its job, None if it is not to be sent any more, or another bridge has it."""
    if work.owner:
        claimed = await replicas.lease(work.tx, ids, work.owner, LEASE, work.now)
    else:
        claimed = await deliveries.claim_all(work.tx, ids)
    about = {found.id: found.incident for found in claimed.values() if found.incident}
    told = await incidents.told_of(work.tx, about) if about else {}
    hidden = await _hide(work, told)
    return [
        await _job(work, claimed[delivery], told.get(delivery), hidden) if delivery in claimed else None
        for delivery in ids
    ]


async def _hide(work: Work, told: Mapping[int, Told]) -> frozenset[Hidden]:
    """What is hidden of what these deliveries are about: at the last look at its group, or since.

    A silence or an inhibition that began after the delivery was planned is heeded, too. What it hides is looked at again
    when it is over.
    """
    found = {
        (about.incident.id, member.alert_id) for about in told.values() for member in about.members if member.hidden
    }
    if not work.silences and not work.generation.inhibition:
        return frozenset(found)
    for about in told.values():
        shown = [
            member for member in about.members if member.fires and (about.incident.id, member.alert_id) not in found
        ]
        veils = await muting.hidden_now(work, shown) if about.incident.group_hash != GROUP else {}
        if veils:
            await groups.hide(work, about.incident, shown, veils)
            found.update((about.incident.id, alert) for alert in veils)
    return frozenset(found)


async def _job(work: Work, claimed: Claimed, about: Told | None, hidden: frozenset[Hidden]) -> Job | None:
    if not claimed.incident:
        return Job(claimed, None, (), {}, told=False)
    if about is None:
        await _end(work, claimed, DeliveryState.SUPERSEDED, "incident_gone")
        return None
    incident = about.incident
    over = incident.state == "resolved"  # an end is told whatever hides it, also one by hand of what still fires
    members = tuple(member for member in about.members if over or (incident.id, member.alert_id) not in hidden)
    unwanted = still_wanted(claimed, incident, members)
    if claimed.reason in FOLLOW_UPS:
        unwanted = _outlived(claimed.reason, about)
    if unwanted is None and len(members) < len(about.members) and _says_nothing(claimed, incident, members):
        unwanted = DeliveryState.SUPERSEDED, "hidden"
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


def _outlived(reason: Reason, about: Told) -> tuple[DeliveryState, str] | None:
    """Why a follow-up is not to be sent: there is nothing it follows, or the incident is in another state by now."""
    if not about.told:
        return DeliveryState.SUPERSEDED, "untold"
    holds = about.incident.quiet if reason is Reason.ACKNOWLEDGED else about.incident.state == "open"
    return None if holds else (DeliveryState.SUPERSEDED, "newer_state")


def _says_nothing(claimed: Claimed, incident: Incident, members: Sequence[Member]) -> bool:
    """Whether what is left after the hidden alerts are gone is not worth a word."""
    if incident.state == "resolved" or claimed.reason not in CANCELLED_BY_ACKNOWLEDGEMENT:
        return False
    return not (members if claimed.reason is Reason.CHANGED else any(member.fires for member in members))


def acknowledged_since(incident: Incident, claimed: Claimed) -> bool:
    """Whether the delivery is noise that an acknowledgement stopped: planned before it, and no resolve."""
    acknowledged = incident.acknowledged_at if incident.quiet else None
    return (
        acknowledged is not None
        and claimed.reason in CANCELLED_BY_ACKNOWLEDGEMENT
        and claimed.created_at <= acknowledged
    )


async def _end(work: Work, claimed: Claimed, state: DeliveryState, reason: str) -> None:
    await deliveries.drop(work.tx, claimed, state, reason, work.now)
    work.record(_KINDS[state], incident=claimed.incident, delivery=claimed.id, channel=claimed.channel, reason=reason)
