"""Somebody has an incident: what is queued of its noise is cancelled and its steps wait, until it is given back.

An acknowledgement lasts until it is taken back or expires, a snooze until its hour.
"""

from __future__ import annotations

from msgspec.structs import replace

from bridge.domain.act import ActDetail
from bridge.domain.audit import Kind
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT, DeliveryState
from bridge.domain.duration import format_duration
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.domain.standing import hour
from bridge.domain.storm import GROUP
from bridge.engine import follow_ups, groups, mirroring, outbox, quiet_ends, storm
from bridge.engine.doubt import perhaps_heard, waits_in_doubt
from bridge.engine.event import FlushData
from bridge.engine.work import Work
from bridge.hooks.api import Transition
from bridge.storage import deliveries, incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer

_EXPIRES_IN = "The acknowledgement of {} expires in {}: acknowledge again to keep it."


async def hush(work: Work, found: Incident, by: str, detail: ActDetail) -> Incident:
    """An open incident is acknowledged, or where the detail says until when, snoozed; or a snooze gets another end."""
    now, until = work.now, detail.until
    quiet = replace(
        found, state="snoozed" if until else "acknowledged", version=found.version + 1, updated_at=now,
        acknowledged_at=found.acknowledged_at or now, acknowledged_by=by, snoozed_until=until,
        via=detail.via.value,
    )  # fmt: skip
    kind = Kind.SNOOZED if until else Kind.ACKNOWLEDGED
    work.record(kind, actor=by, source=found.source, incident=found.id, detail=str(detail))
    if not found.quiet:
        work.effects.acknowledged.append((found.route, (now - found.opened_at).total_seconds()))
    await timers.pause_steps(work.tx, found.id, now)
    await quiet_ends.write(work, quiet)
    under_way = await _cancel_noise(work, found, quiet.state)
    await incidents.save(work.tx, quiet)
    await mirroring.want(work, quiet)
    await follow_ups.tell(work, quiet, Reason.ACKNOWLEDGED, under_way=under_way)
    for member in await storm.acknowledged(work, quiet, found):
        await mirroring.want(work, member)
        await follow_ups.tell(work, member, Reason.ACKNOWLEDGED)
    return quiet


async def rouse(
    work: Work, found: Incident, *, actor: str = "bridge", reason: str = "", detail: str = "", note: str = ""
) -> None:
    """A quiet incident is open again: what was left of its steps' waits is left, and its receiver hears of it."""
    now = work.now
    opened = replace(
        found, state="open", version=found.version + 1, updated_at=now, acknowledged_at=None, acknowledged_by="",
        snoozed_until=None, via="",
    )  # fmt: skip
    work.record(Kind.UNACKNOWLEDGED, actor=actor, source=found.source, incident=found.id, reason=reason, detail=detail)
    await timers.stop_quiet(work.tx, found.id)
    timing = work.generation.timing(opened.route, opened.source)
    if found.told_at is None:  # it was hidden when it opened: its escalation has not begun
        unheard = FlushData(Transition.OPENED, (), first=False, severity_before=opened.severity)
        await incidents.save(work.tx, await groups.look(work, opened, unheard, timing))
        return
    hidden = False
    if found.group_hash != GROUP:
        opened, hidden = await groups.see(work, opened)
    if not hidden:
        await timers.resume_steps(work.tx, found.id, now)
        work.effects.due(now)
    told = bool(await incidents.told_channels(work.tx, found.id))
    reason = Reason.REMINDER if told else Reason.OPENED
    await outbox.tell(work, opened, reason, first=False, note=note)
    await follow_ups.tell(work, opened, Reason.UNACKNOWLEDGED, note=note, but=await _hearing(work, found.id))
    opened = replace(opened, told_at=now)
    await incidents.save(work.tx, opened)
    await groups.remind_later(work, opened, timing)
    for member in await storm.unacknowledged(work, found):
        await follow_ups.tell(work, member, Reason.UNACKNOWLEDGED, note=note)


async def end_snooze(work: Work, timer: Timer) -> None:
    """A snooze whose timer was just deleted is over, unless it was ended or prolonged before."""
    found = await incidents.get(work.tx, timer.incident)
    if found is None or found.snoozed_until is None or found.state != "snoozed" or found.snoozed_until > work.now:
        return
    await rouse(work, found, reason="snooze_over", note=f"{found.acknowledged_by} had snoozed this until now.")


async def end_acknowledgement(work: Work, timer: Timer) -> None:
    """An acknowledgement whose timer was just deleted expires, or is about to: then those who were told hear of it."""
    found = await incidents.get(work.tx, timer.incident)
    if found is None or found.state != "acknowledged":
        return
    by = found.acknowledged_by
    if timer.data == quiet_ends.EXPIRES:
        await rouse(work, found, reason="expired", note=f"The acknowledgement of {by} expired.")
        return
    over = await timers.next_of(work.tx, found.id, quiet_ends.ACKNOWLEDGEMENT)
    if over is not None and over > work.now:
        note = _EXPIRES_IN.format(by, format_duration(over - work.now))
        told = await incidents.told_channels(work.tx, found.id)
        there = [name for name in told if name in work.generation.channels]
        people = await outbox.heard_for(work, found)
        await outbox.tell_channels(work, found, there, Reason.REMINDER, note=note, people=people)


async def renew(work: Work, found: Incident, by: str, detail: ActDetail) -> str:
    """Who has acknowledged it does so again: the time until it expires begins anew; what is to be said to him."""
    after = work.generation.config.acknowledgement.expires_after
    if after is None:
        return "you acknowledged it already"
    await quiet_ends.write(work, found)
    work.record(
        Kind.ACKNOWLEDGED, actor=by, source=found.source, incident=found.id, reason="renewed", detail=str(detail)
    )
    return f"you acknowledged it already; it holds until {hour(work.now + after)}"


async def _cancel_noise(work: Work, found: Incident, why: str) -> list[str]:
    """The channels to which a message is under way that cannot be called back any more."""
    under_way: list[str] = []
    for delivery, channel, reason, leased in await deliveries.queued_of_incident(work.tx, found.id):
        if leased or work.is_in_flight(delivery):
            under_way.append(channel)
        elif reason in CANCELLED_BY_ACKNOWLEDGEMENT:
            if waits_in_doubt(work, delivery):
                members = await incidents.news_for(work.tx, found.id, channel)
                await perhaps_heard(work, found.id, channel, reason, members)
            await deliveries.stop(work.tx, delivery, DeliveryState.CANCELLED, why, work.now)
            work.record(Kind.CANCELLED, incident=found.id, delivery=delivery, channel=channel, reason=why)
    return under_way


async def _hearing(work: Work, incident: str) -> set[str]:
    """The channels that are about to hear of the incident anyway."""
    queued = await deliveries.queued_of_incident(work.tx, incident)
    return {
        channel
        for delivery, channel, reason, leased in queued
        if reason not in FOLLOW_UPS and not leased and not work.is_in_flight(delivery)
    }
