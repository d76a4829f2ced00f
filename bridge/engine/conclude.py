"""What follows from an event: the incident's new state, and who is told: at once, or at its group's next tick."""

from __future__ import annotations

from msgspec.structs import replace

from bridge.domain.alert import MANUAL
from bridge.domain.audit import Kind
from bridge.domain.storm import GROUP
from bridge.engine import groups, muting
from bridge.engine.event import Event, FlushData
from bridge.engine.telling import suppress, tell_of
from bridge.engine.work import Work
from bridge.hooks.api import Transition
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident

_KINDS = {Transition.OPENED: Kind.OPENED, Transition.CHANGED: Kind.CHANGED, Transition.RESOLVED: Kind.RESOLVED}


async def conclude(work: Work, event: Event) -> None:
    """Record an event's effect on its incident, and see to it that people are told."""
    timing = work.generation.timing(event.incident.route, event.incident.source)
    if _waits_for_a_tick(event) and timing.ticks:
        await groups.note(work, event, timing)
        return
    incident = await _advance(work, event)
    if incident.state == "resolved" and event.transition is Transition.REPEAT:
        suppress(work, incident, "dedupe", "duplicate")
        return
    data = FlushData(
        event.transition, tuple(alert.key for alert in event.alerts), event.first, severity_before=event.severity_before
    )
    if _may_be_hidden(work, event):
        after = await groups.look(work, incident, data, timing, event)
    else:
        after = await tell_of(work, incident, data, event.alerts)
        if timing.repeat is not None:
            await groups.remind_later(work, after, timing)
    if event.first:
        await incidents.add(work.tx, after)
    elif after is not event.incident:
        await incidents.save(work.tx, after)


def _waits_for_a_tick(event: Event) -> bool:
    """A sender's repeat waits for nothing; nor does an end whose beginning never came here."""
    if event.transition is Transition.REPEAT or event.incident.group_hash == GROUP:
        return False
    return not (event.first and event.firing == 0)


def _may_be_hidden(work: Work, event: Event) -> bool:
    """Whether anything may keep people from hearing of this. An end is told whatever does."""
    if event.transition is Transition.RESOLVED or event.incident.group_hash == GROUP:
        return False
    incident = event.incident
    if incident.source == MANUAL:
        return False
    # What hid an alert while its incident was over may be over since, and nobody has looked.
    return (
        event.reopened or incident.hidden > 0 or muting.concerns(work, incident.route, [*event.opened, *event.repeated])
    )


async def _advance(work: Work, event: Event) -> Incident:
    """The incident after the event: counts, severity, state; with its record."""
    transition = event.transition
    incident = event.incident
    if transition is Transition.REPEAT:
        return incident
    if event.ended and event.firing > 0:
        incident = replace(incident, severity=await groups.worst_of(work, incident))
    ended = transition is Transition.RESOLVED
    incident = replace(
        incident,
        version=incident.version + 1,
        updated_at=work.now,
        firing=event.firing,
        resolved=event.resolved,
        state="resolved" if ended else incident.state,
        resolved_at=work.now if ended else None,
    )
    kind = Kind.REOPENED if event.reopened else _KINDS[transition]
    work.record(
        kind, source=incident.source, incident=incident.id, reason=incident.route, detail=groups.counts(incident)
    )
    if ended:
        if event.incident.state != "resolved" and not event.first:
            work.effects.resolved.append((incident.route, (work.now - incident.opened_at).total_seconds()))
        await timers.stop_steps(work.tx, incident.id)
    return incident
