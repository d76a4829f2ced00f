"""Groups are looked at: at the ticks of their route's timing, and when what hid their alerts may be over.

A tick is a timer's row, one for an incident, written only where there is something to see: news, a reminder to come, the
end of a mute. A silence that ends, an inhibiting alert that resolves and a new configuration wake the groups they hid.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.ticks import Timing
from bridge.engine import muting, outbox
from bridge.engine.event import Event, FlushData
from bridge.engine.group_decision import Found, Occasion, Standing, decide
from bridge.engine.muting import ENDED, MUTED, WAITS, Veil
from bridge.engine.telling import flush_data, suppress, tell_of
from bridge.engine.work import Work
from bridge.hooks.api import Transition
from bridge.storage import incidents, timers
from bridge.storage import muting as stored
from bridge.storage.incidents import Incident, Member
from bridge.storage.muting import Hiding
from bridge.storage.timers import Timer

_ENCODER = msgspec.json.Encoder()
_WAKING = FlushData(Transition.CHANGED, ())
_UNTOLD = Veil(ENDED, "")


async def note(work: Work, event: Event, timing: Timing) -> None:
    """Keep what happened in a group; its people hear of it at the tick."""
    incident = event.incident
    if event.ended and event.firing:
        incident = replace(incident, severity=await worst_of(work, incident))
    incident = replace(
        incident,
        version=incident.version + 1,
        updated_at=work.now,
        firing=event.firing,
        resolved=event.resolved,
    )
    opens = event.first or event.reopened
    if opens:
        kind = Kind.OPENED if event.first else Kind.REOPENED
        work.record(kind, source=incident.source, incident=incident.id, reason=incident.route, detail=counts(incident))
    data = FlushData(
        Transition.OPENED if opens else Transition.CHANGED, (), event.first, severity_before=event.severity_before
    )
    due: datetime | None = None
    if incident.flushed_at is not None:
        due = timing.next(incident.flushed_at, work.now)
    elif event.opened:
        due = timing.first(min(alert.starts_at for alert in event.opened), work.now)
    at_once = due is not None and due <= work.now and (event.first or incident.flushed_at is not None)
    if at_once:
        incident = await look(work, replace(incident, flushed_at=work.now), data, timing)
    await (incidents.add if event.first else incidents.save)(work.tx, incident)
    if not at_once:
        await _await_tick(work, incident.id, data, due, new=event.first)


async def tick(work: Work, timer: Timer) -> None:
    """Look at a group whose timer was just deleted."""
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state == "resolved":
        return
    timing = work.generation.timing(incident.route, incident.source)
    on_time = timing.interval > work.now - timer.due_at
    incident = replace(incident, flushed_at=timer.due_at if on_time else work.now)
    await incidents.save(work.tx, await look(work, incident, flush_data(timer.data), timing))


async def wake(work: Work, incident_id: str) -> None:
    """What hid alerts of an incident may be over: it is looked at, at its next tick if it has any."""
    incident = await incidents.get(work.tx, incident_id)
    if incident is not None and incident.state != "resolved" and not await _waits_to_open(work, incident):
        timing = work.generation.timing(incident.route, incident.source)
        await _await_tick(work, incident.id, _WAKING, timing.next(incident.flushed_at, work.now))


async def hasten(work: Work, alert_id: int, starts_at: datetime) -> None:
    """A firing alert turns out to have begun earlier: groups that wait for their `group_wait` wait no longer if it is over."""
    for incident_id in await incidents.with_firing(work.tx, alert_id):
        incident = await incidents.get(work.tx, incident_id)
        if incident is not None and await _waits_to_open(work, incident):
            timing = work.generation.timing(incident.route, incident.source)
            if timing.first(starts_at, work.now) <= work.now:
                await _await_tick(work, incident.id, _WAKING, work.now)


async def ends_to_fire(work: Work, alert: int) -> None:
    """An alert resolved: what it inhibited is looked at."""
    if work.generation.inhibition and await stored.drop_inhibitor(work.tx, alert):
        for incident_id in await stored.hidden_by(work.tx, str(alert)):
            await wake(work, incident_id)


async def look(work: Work, incident: Incident, data: FlushData, timing: Timing, event: Event | None = None) -> Incident:
    """See what of a group is shown and what is news, and have its people told; gives the incident as it is to be saved.

    `event` is what happened at this moment, None at a tick.
    """
    members = await incidents.members(work.tx, incident.id)
    veils = await muting.veils(work, incident.route, members)
    if event is not None:  # it is no tick: what waits for one goes on waiting
        veils.update({one.alert_id: Veil(WAITS, "") for one in members if one.fires and one.hidden == WAITS})
    else:
        veils.update(await _unsaid(work, members, timing))
    touched = {alert.key for alert in (*event.opened, *event.ended)} if event else set()
    standings = [
        Standing(
            member.alert_id, member.fires, _planned(member, timing, touched), _was(member, veils),
            veils[member.alert_id].why if member.fires and member.alert_id in veils else "", member.alert.key in touched,
        )
        for member in members
    ]  # fmt: skip
    found = decide(standings, _occasion(work, incident, data, timing, event))
    if found.transition is None and event is None:
        veils.update({one.alert_id: _UNTOLD for one in members if _is_unsaid(one, timing)})
    planned = {one.alert: found.planned.get(one.alert, one.planned) for one in standings}
    await _keep(work, incident, members, veils, planned, found.again)
    incident = await _pause_or_resume(work, incident, standings)
    if not any(one.fires for one in standings):
        incident = await _end(work, incident, found)
    elif found.transition is Transition.CHANGED and event is None:
        detail = counts(incident)
        work.record(Kind.CHANGED, source=incident.source, incident=incident.id, reason=incident.route, detail=detail)
    if found.transition is not None:
        about = set(found.about)
        alerts = tuple(member.shown for member in members if member.alert_id in about)
        judged = replace(data, transition=found.transition, alerts=tuple(alert.key for alert in alerts), due=found.due)
        incident = await tell_of(work, incident, judged, alerts)
    elif event is not None and veils:
        veil = next(iter(veils.values()))
        suppress(work, incident, "muting", veil.why, f"by {by}" if (by := await muting.named(work, veil)) else "")
    await _look_again(work, incident, timing, standings)
    return incident


async def hide(work: Work, incident: Incident, members: Sequence[Member], veils: Mapping[int, Veil]) -> None:
    """Alerts were hidden after telling of them was planned: once they are shown again they are told of anew."""
    newly = [member for member in members if member.alert_id in veils]
    await _keep(work, incident, newly, veils, dict.fromkeys(veils, "withdrawn"))
    present = await incidents.get(work.tx, incident.id)
    if present is not None:
        await incidents.save(work.tx, replace(present, hidden=present.hidden + len(veils)))


async def see(work: Work, incident: Incident) -> tuple[Incident, bool]:
    """Write down what is hidden of an incident at this moment, and tell nobody. Gives the incident as it was saved, and
    whether nothing of it is shown: then the clock of its steps stands still.
    """
    hides = incident.hidden or work.silences or work.generation.inhibition or muting.mutes_of(work, incident.route)
    if not hides:
        return incident, False
    members = await incidents.members(work.tx, incident.id)
    veils = await muting.veils(work, incident.route, members)
    firing = [member for member in members if member.fires]
    known = {member.alert_id for member in firing if member.hidden not in {"", WAITS}}
    newly = {alert: veil for alert, veil in veils.items() if alert not in known}
    timing = work.generation.timing(incident.route, incident.source)
    hidden = [member for member in firing if member.alert_id in newly]
    await _keep(work, incident, hidden, newly, {member.alert_id: _planned(member, timing) for member in hidden})
    incident = replace(incident, hidden=len(veils))
    await incidents.save(work.tx, incident)
    if not firing or len(veils) < len(firing):
        return incident, False
    if await timers.pause_steps(work.tx, incident.id, work.now):
        work.record(Kind.PAUSED, source=incident.source, incident=incident.id, reason="hidden")
    return incident, True


async def remind_later(work: Work, incident: Incident, timing: Timing) -> None:
    """See to it that the reminder of what was just told comes."""
    if incident.told_at == work.now and incident.state == "open":
        due = timing.reminder(incident.told_at, incident.flushed_at)
        if due is not None:
            await _await_tick(work, incident.id, _WAKING, due)


async def worst_of(work: Work, incident: Incident) -> str:
    """The severity of an incident by the alerts that fire in it now."""
    severities = work.generation.severities
    return severities.worst(await incidents.severities(work.tx, incident.id, severities.label))


def counts(incident: Incident) -> str:
    return f'{{"firing":{incident.firing},"resolved":{incident.resolved}}}'


def _occasion(work: Work, incident: Incident, data: FlushData, timing: Timing, event: Event | None) -> Occasion:
    remind = False
    if event is None and incident.state == "open" and incident.told_at is not None and timing.repeat is not None:
        over = incident.told_at + timing.repeat
        remind = over < work.now if timing.interval else over <= work.now
    return Occasion(
        opens=incident.told_at is None or data.transition is Transition.OPENED,
        ticks=timing.ticks and event is None,
        remind=remind,
        repeated=event is not None and event.transition is Transition.REPEAT,
        ends=outbox.takes_ends(work, incident.receiver),
    )


def _was(member: Member, veils: Mapping[int, Veil]) -> str:
    """What hid it until now; of one that ended, whether it was hidden throughout."""
    return member.hidden if member.fires or member.alert_id not in veils else veils[member.alert_id].why


def _is_unsaid(member: Member, timing: Timing) -> bool:
    """Whether it fired and ended since the last tick."""
    return timing.ticks and not member.fires and member.planned in {"", "again"} and not member.hidden


async def _unsaid(work: Work, members: Sequence[Member], timing: Timing) -> dict[int, Veil]:
    """Of what fired and ended since the last tick, that which would be hidden now: it goes unsaid."""
    found = [member for member in members if _is_unsaid(member, timing)]
    return dict.fromkeys(await muting.hidden_now(work, found), _UNTOLD) if found else {}


def _planned(member: Member, timing: Timing, touched: Collection[tuple[str, str, str]] = ()) -> str:
    """What was planned to be said of an alert. Where nothing waits for ticks, that is not written for what is told at once."""
    if member.planned or timing.ticks or not member.fires or member.hidden or member.alert.key in touched:
        return member.planned
    return "firing"


async def _keep(
    work: Work,
    incident: Incident,
    members: Sequence[Member],
    veils: Mapping[int, Veil],
    planned: Mapping[int, str],
    again: Sequence[int] = (),
) -> None:
    """Write down what is hidden and what is now planned to be said; what is newly hidden goes on record."""
    changed: list[Hiding] = []
    newly: Counter[Veil] = Counter()
    for member in members:
        veil = veils.get(member.alert_id)
        why, by = (veil.why, veil.by) if veil else ("" if member.fires else member.hidden, "")
        plan = planned[member.alert_id]
        if (member.hidden, member.hidden_by) != (why, by) or plan != member.planned:
            changed.append(Hiding(member.alert_id, plan, why, by))
        if veil and why not in {member.hidden, WAITS}:
            newly[veil] += 1
    if changed:
        await stored.hide(work.tx, incident.id, changed)
    if again:
        await stored.withdraw(work.tx, incident.id, again)
    for veil, number in newly.items():
        reason = "ended_untold" if veil.why == ENDED else veil.why
        detail = f"{number} by {await muting.named(work, veil)}" if veil.by else str(number)
        work.record(Kind.SUPPRESSED, source=incident.source, incident=incident.id, reason=reason, detail=detail)
        work.effects.suppressed.append(("muting", reason))


async def _pause_or_resume(work: Work, incident: Incident, standings: list[Standing]) -> Incident:
    """Where nothing is shown nobody is called; what was left of the waits is left when something is shown again."""
    hidden = sum(one.fires and bool(one.now) for one in standings)
    firing = sum(one.fires for one in standings)
    if hidden and hidden == firing:
        if await timers.pause_steps(work.tx, incident.id, work.now):
            work.record(Kind.PAUSED, source=incident.source, incident=incident.id, reason="hidden")
    elif incident.hidden and incident.state == "open" and await timers.resume_steps(work.tx, incident.id, work.now):
        work.record(Kind.RESUMED, source=incident.source, incident=incident.id, reason="shown")
        work.effects.due(work.now)
    return replace(incident, hidden=hidden)


async def _end(work: Work, incident: Incident, found: Found) -> Incident:
    incident = replace(
        incident, state="resolved", version=incident.version + 1, updated_at=work.now, resolved_at=work.now
    )
    work.record(
        Kind.RESOLVED, source=incident.source, incident=incident.id, reason=incident.route, detail=counts(incident)
    )
    if found.transition is None:
        suppress(work, incident, "timing", "ended_untold")
    work.effects.resolved.append((incident.route, (work.now - incident.opened_at).total_seconds()))
    await timers.stop_steps(work.tx, incident.id)
    return incident


async def _look_again(work: Work, incident: Incident, timing: Timing, standings: list[Standing]) -> None:
    """Write the tick at which something is to be seen though nothing happens till then."""
    moments: list[datetime] = []
    if incident.state == "resolved":
        return
    if any(one.now == MUTED for one in standings):
        over = muting.unmuted(work, incident.route)
        if over is not None:
            moments.append(timing.at_or_after(incident.flushed_at, over))
    elif (begins := muting.muted_next(work, incident.route)) is not None:
        moments.append(timing.at_or_after(incident.flushed_at, begins))
    shown = any(one.fires and not one.now for one in standings)
    if incident.state == "open" and incident.told_at is not None and shown:
        reminder = timing.reminder(incident.told_at, incident.flushed_at)
        if reminder is not None and timing.repeat is not None:
            # Where a hook stopped the last one, the next is a whole interval away.
            moments.append(reminder if reminder > work.now else work.now + timing.repeat)
    if moments:
        await _await_tick(work, incident.id, _WAKING, min(moments))


async def _waits_to_open(work: Work, incident: Incident) -> bool:
    """Whether its first tick is to come."""
    if incident.flushed_at is not None:
        return False
    waiting = await timers.group_of(work.tx, incident.id)
    return waiting is not None and flush_data(waiting.data).transition is Transition.OPENED


async def _await_tick(
    work: Work, incident_id: str, data: FlushData, due: datetime | None, *, new: bool = False
) -> None:
    """The incident's one timer, at the earlier of the moment it had and this one. An opening stays an opening.

    Without a moment it stays where it is.
    """
    waiting = None if new else await timers.group_of(work.tx, incident_id)
    if waiting is not None:
        older = flush_data(waiting.data)
        opens = Transition.OPENED in {older.transition, data.transition}
        merged = FlushData(
            Transition.OPENED if opens else Transition.CHANGED,
            (),
            older.first or data.first,
            severity_before=older.severity_before or data.severity_before,
        )
        due = waiting.due_at if due is None else min(due, waiting.due_at)
        if merged == older and waiting.due_at == due:
            return
        await timers.delete(work.tx, waiting.id)
        data = merged
    due = due or work.now
    await timers.add(work.tx, "group", due, _ENCODER.encode(data).decode(), incident=incident_id)
    work.effects.due(due)
