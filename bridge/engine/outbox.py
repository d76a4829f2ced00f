"""Deliveries are planned: a newer state replaces a queued older one, and nobody is told what he did not ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from bridge.domain.alert import MANUAL
from bridge.domain.audit import Kind
from bridge.domain.delivery import DeliveryState, merged_reason
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.domain.storm import GROUP
from bridge.domain.target import Target, TargetKind, together
from bridge.engine import rules, storm
from bridge.engine.doubt import waits_in_doubt
from bridge.engine.generation import ConfiguredChannel
from bridge.engine.notified import Whom, plainly, whom
from bridge.engine.work import Work
from bridge.storage import deliveries, incidents
from bridge.storage.deliveries import Claimed
from bridge.storage.incidents import Incident

NOBODY: Mapping[str, str] = {}
_CALLS = frozenset({Reason.OPENED, Reason.REMINDER})


async def tell(
    work: Work, incident: Incident, reason: Reason, *, first: bool, only_ends: bool = False, note: str = ""
) -> bool:
    """Queue what the incident's receiver is to be told; whether anything was queued.

    `first` says that the incident is new, so that nothing can be queued yet; `only_ends` that alerts ended and none began.
    """
    if first:
        await storm.opened(work, incident)
    if reason is Reason.RESOLVED and not first:
        heard, people = await _who_heard(work, incident), await heard_for(work, incident)
        return await tell_channels(work, incident, heard, reason, only_ends=only_ends, note=note, people=people)
    if incident.group_hash == GROUP:
        return await tell_channels(
            work, incident, (incident.receiver,), reason, first=first, only_ends=only_ends, note=note
        )
    found = behind(work, incident.receiver, incident, page=_pages(incident, reason))
    told = await tell_found(work, incident, found, reason, first=first, only_ends=only_ends, note=note)
    if found.later and reason in _CALLS:
        await rules.write(work, incident.id, found.later, incident.receiver)
    return told or bool(found.later)


def behind(work: Work, receiver: str, incident: Incident | None = None, *, page: Reason | None = None) -> Whom:
    """Whom a receiver comes to at this moment, also where it names people or whoever is on call. `page` as in `whom`."""
    names = work.generation.channels_of(receiver)
    if not any("/" in name for name in names):  # every word for people has one, and every alert comes by here
        return plainly(names)
    spare = otherwise(work, incident) if incident is not None else ()
    return whom(work.generation.config, work.shifts, (receiver,), work.now, spare, page)


def otherwise(work: Work, incident: Incident) -> tuple[str, ...]:
    """Who is told of an incident where whoever it should be is not there, and there is no fallback."""
    root = work.generation.root
    route = work.generation.routes.get(incident.route, root)
    return incident.receiver, route.receiver, root.receiver


async def tell_found(
    work: Work,
    incident: Incident,
    found: Whom,
    reason: Reason,
    *,
    first: bool = False,
    note: str = "",
    step: str = "",
    only_ends: bool = False,
) -> bool:
    """Queue what those are to be told who were found, and say for whom somebody stands in; whether anything was queued."""
    for missing in found.missing:
        work.record(
            Kind.REROUTED, source=incident.source, incident=incident.id, reason=missing.why,
            detail=f"{missing.target}: {missing.instead or 'nobody'}",
        )  # fmt: skip
        if not missing.instead and _pages(incident, reason):
            await notice(work, f"{incident.title}: {missing} Nobody is told instead: no channel takes it.")
    present = [name for name in found.channels if name not in found.instead]
    told = await tell_channels(
        work, incident, present, reason, first=first, note=note, step=step, only_ends=only_ends, people=found.channels
    )
    for channel, why in found.instead.items():
        words = f"{note} {why}" if note else why
        told |= await tell_channels(
            work, incident, (channel,), reason, first=first, note=words, step=step, only_ends=only_ends,
            people=found.channels,
        )  # fmt: skip
    return told


async def tell_channels(
    work: Work,
    incident: Incident,
    channels: Iterable[str],
    reason: Reason,
    *,
    first: bool = False,
    note: str = "",
    step: str = "",
    only_ends: bool = False,
    people: Mapping[str, str] = NOBODY,
) -> bool:
    """Queue one delivery for each channel that wants the reason; whether there was any. `step` is the escalation's.
    `people`: for whom a channel is told, where that is somebody.
    """
    queued = False
    for channel in dict.fromkeys(channels):
        if _wants(work, incident, channel, reason, only_ends=only_ends):
            person = people.get(channel, "")
            await put(work, incident, channel, reason, first=first, note=note, step=step, person=person)
            queued = True
    return queued


async def put(
    work: Work,
    incident: Incident,
    channel: str,
    reason: Reason,
    *,
    first: bool = False,
    note: str = "",
    step: str = "",
    person: str = "",
) -> None:
    """Queue one delivery in place of what waits for (incident, channel); in a storm, leave it to the digest.

    A replaced delivery hands on its people, its age, so that its time to give up still counts, and its wait if it was tried. One that
    may have been under way at a crash stays, and goes first.
    """
    if await storm.absorbs(work, incident, channel, reason, first=first, step=step):
        return
    created_at = due_at = work.now
    if not first:
        for waiting in await deliveries.queued(work.tx, incident.id, channel):
            if waiting.state is DeliveryState.LEASED or work.is_in_flight(waiting.id):
                continue
            if waits_in_doubt(work, waiting.id):
                due_at = max(due_at, waiting.due_at)
                continue
            await deliveries.stop(work.tx, waiting.id, DeliveryState.SUPERSEDED, "newer_state", work.now)
            work.record(
                Kind.SUPERSEDED, incident=incident.id, delivery=waiting.id, channel=channel, reason="newer_state"
            )
            reason = merged_reason(waiting.reason, reason)
            person = together(waiting.person, person)
            created_at = min(created_at, waiting.created_at)
            if waiting.attempts:
                due_at = max(due_at, waiting.due_at)
    if incident.quiet:
        created_at = work.now  # what is told in spite of the acknowledgement must not look older than it
    live = await deliveries.add(
        work.tx, incident.id, channel, incident.receiver, reason, note, created_at, due_at, person=person
    )
    work.effects.live.append(live)
    work.effects.notified.append((incident.route, reason.value))


async def give_way(work: Work, claimed: Claimed, due_at: datetime) -> bool:
    """End a delivery that failed while a newer one of its (incident, channel) queued up behind; whether there was one.

    Otherwise the newer would overtake it, and the older be told last.
    """
    if not claimed.incident:
        return False
    behind = await deliveries.queued(work.tx, claimed.incident, claimed.channel)
    newer = next((waiting for waiting in behind if waiting.id > claimed.id), None)
    if newer is None:
        return False
    await deliveries.drop(work.tx, claimed, DeliveryState.SUPERSEDED, "newer_state", work.now)
    work.record(
        Kind.SUPERSEDED, incident=claimed.incident, delivery=claimed.id, channel=claimed.channel, reason="newer_state"
    )
    reason = merged_reason(claimed.reason, newer.reason)
    incident = await incidents.get(work.tx, claimed.incident)
    acknowledged = incident is not None and incident.quiet  # as in `put`
    await deliveries.inherit(
        work.tx,
        newer.id,
        reason,
        newer.created_at if acknowledged else claimed.created_at,
        due_at,
        person=together(claimed.person, newer.person),
    )
    return True


async def notice(work: Work, text: str, *, about: str = "", to: str = "") -> None:
    """Queue word from the bridge itself to a receiver or channel, else to the fallback; `about` names the channel it is
    about, which is not used.
    """
    receiver = to or (work.generation.fallback_for(about) if about else work.generation.config.fallback or "")
    for channel in behind(work, receiver).channels if to else filter(None, (receiver,)):
        live = await deliveries.add(work.tx, "", channel, receiver, Reason.NOTICE, text, work.now, work.now)
        work.effects.live.append(live)


async def notice_for(work: Work, text: str, channel: str, person: str) -> None:
    """Queue word from the bridge itself to a person by a channel of theirs."""
    word = str(Target(TargetKind.PERSON, person))
    live = await deliveries.add(work.tx, "", channel, word, Reason.NOTICE, text, work.now, work.now, person=person)
    work.effects.live.append(live)


async def heard_for(work: Work, incident: Incident) -> Mapping[str, str]:
    """For whom each channel heard of the incident, so that what follows there is for them as well."""
    if not work.generation.config.people:  # every end comes by here, and most bridges know no people
        return NOBODY
    return await deliveries.people_told(work.tx, incident.id)


async def _who_heard(work: Work, incident: Incident) -> list[str]:
    told = await incidents.channels_told_of_firing(work.tx, incident.id)
    waiting = await deliveries.queued_of_incident(work.tx, incident.id)
    return [*told, *(channel for _id, channel, _reason, _leased in waiting)]


def _pages(incident: Incident, reason: Reason) -> Reason | None:
    """The reason, if it is one by which people are called; an alert's first word is news of it."""
    by_hand = reason is Reason.OPENED and incident.source == MANUAL
    return reason if by_hand or reason is Reason.ESCALATED else None


def refusal(configured: ConfiguredChannel, reason: Reason, *, only_ends: bool = False) -> str:
    """Which of its options keeps such a word from a channel; empty if it wants it. `only_ends`: nothing in it is new but ends."""
    options = configured.options
    if reason in FOLLOW_UPS and configured.follows(reason):
        return ""
    if reason not in options.send_on:
        return "send_on"
    ends = only_ends or reason is Reason.RESOLVED
    return "send_resolved" if ends and not options.send_resolved else ""


def takes_ends(work: Work, receiver: str) -> bool:
    """Whether any channel of a receiver is told that alerts ended while others fire."""
    found = (work.generation.channels.get(channel) for channel in behind(work, receiver).channels)
    return any(one is None or not refusal(one, Reason.CHANGED, only_ends=True) for one in found)


def _wants(work: Work, incident: Incident, channel: str, reason: Reason, *, only_ends: bool) -> bool:
    configured = work.generation.channels.get(channel)
    if configured is None or not refusal(configured, reason, only_ends=only_ends):
        return True
    work.record(Kind.SUPPRESSED, incident=incident.id, channel=channel, reason="send_on", detail=reason.value)
    work.effects.suppressed.append(("send_on", reason.value))
    return False
