"""An escalation goes one step further, unless somebody has acknowledged or it is over.

The claim of a step and the acknowledgement exclude each other: both are transactions of one writer, each looks at
the incident's state, and the acknowledgement stops the steps.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from bridge.domain.act import ActDetail, Via
from bridge.domain.audit import Kind
from bridge.domain.crashpoint import crashpoint
from bridge.domain.duration import format_duration
from bridge.domain.escalation import DueStep, again
from bridge.domain.message import Reason
from bridge.domain.storm import GROUP
from bridge.engine import calling, groups, outbox
from bridge.engine.notified import Whom
from bridge.engine.step_conditions import MISSED, TAKEN, Verdict, asks_for_alerts, judge, unmet
from bridge.engine.work import Work
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer

WINDOW = "window"
"""The kind of the timer of a step that waits for a time interval. No clock of it stands still: windows come by the clock."""
_MISSED = "{}: a step of its escalation was not taken: {}. It was due {} ago."
_DECODER = msgspec.json.Decoder(DueStep)
_ENCODER = msgspec.json.Encoder()


async def take_step(work: Work, timer: Timer) -> bool:
    """Take a due step whose timer was just deleted; whether anybody is told."""
    crashpoint("esc.before_claim")
    step = _DECODER.decode(timer.data)
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state != "open":
        reason = incident.state if incident else "incident_gone"
        work.record(Kind.SKIPPED, incident=timer.incident, reason=reason, detail=str(step))
        return False
    incident, hidden = await calling.look(work, incident, timer)
    if hidden:
        return False
    verdict = await _judged(work, incident, step, timer.due_at)
    if verdict is not TAKEN:
        await _leave(work, incident, step, timer, verdict)
        return False
    found = calling.whom_now(work, incident, step.notify)
    work.record(
        Kind.ESCALATED, source=incident.source, incident=incident.id, reason=step.escalation, detail=_name(step, found)
    )
    await _tell(work, incident, step, found, timer.due_at)
    crashpoint("esc.after_claim")
    return True


async def open_window(work: Work, timer: Timer) -> None:
    """The time interval that a step waited for begins: it is due, unless somebody has the incident; then it waits on."""
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state == "resolved":
        return
    await timers.add(work.tx, "step", work.now, timer.data, incident=incident.id)
    work.effects.due(work.now)
    if incident.quiet:
        await timers.pause_steps(work.tx, incident.id, work.now)


async def _judged(work: Work, incident: Incident, step: DueStep, due_at: datetime) -> Verdict:
    members = await incidents.members(work.tx, incident.id) if asks_for_alerts(step.condition) else []
    return judge(step, due_at, work.now, [member.shown for member in members], work.generation.intervals)


async def _leave(work: Work, incident: Incident, step: DueStep, timer: Timer, verdict: Verdict) -> None:
    """Do not take a step now: it waits for its time interval, or it is skipped, which is on record. What was missed is said."""
    kind = Kind.HELD if verdict.until else Kind.SKIPPED
    words = unmet(step.condition, verdict.why)
    detail = f"{step} ({words})" if words else str(step)
    work.record(kind, source=incident.source, incident=incident.id, reason=verdict.why, detail=detail)
    if verdict.until is not None:
        await timers.add(work.tx, WINDOW, verdict.until, timer.data, incident=incident.id)
        work.effects.due(verdict.until)
        return
    if verdict.why in MISSED:
        late = work.now - timer.due_at
        await outbox.notice(work, _MISSED.format(incident.title, step, format_duration(late)))
    await _repeat(work, incident, step, timer.due_at)


async def take_next(work: Work, incident: Incident, by: str, via: Via) -> str:
    """Take the next step at once because somebody says so, whether the incident is open or quiet; why nobody is told.

    A step that was never taken goes before one that repeats. The others keep their times.
    """
    steps = [(timer, _DECODER.decode(timer.data)) for timer in await timers.steps(work.tx, incident.id)]
    if not steps:
        return "there is no step left to take"
    incident, hidden = (incident, False) if incident.group_hash == GROUP else await groups.see(work, incident)
    if hidden:
        return "all of it is silenced, inhibited or muted: nobody is told"
    timer, step = min(steps, key=lambda one: (one[1].done > 0, one[0].due_at, one[0].id))
    await timers.delete(work.tx, timer.id)
    found = calling.whom_now(work, incident, step.notify)
    detail = str(ActDetail(via, text=_name(step, found)))
    work.record(
        Kind.ESCALATED, actor=by, source=incident.source, incident=incident.id, reason=step.escalation, detail=detail
    )
    await _tell(work, incident, step, found, work.now, note=f"{by} escalated this.")
    if incident.quiet:
        await timers.pause_steps(work.tx, incident.id, work.now)
    return ""


async def _tell(
    work: Work, incident: Incident, step: DueStep, found: Whom, due_at: datetime, *, note: str = ""
) -> None:
    """Tell whom a step comes to, and write when it repeats."""
    key = f"{step.escalation}#{step.index}#{step.done}"
    await calling.call(work, incident, found, key, note=note)
    await outbox.tell_channels(work, incident, step.run, Reason.ESCALATED, step=key, note=note)
    await incidents.save(work.tx, replace(incident, told_at=work.now, updated_at=work.now))
    await _repeat(work, incident, step, due_at)


async def _repeat(work: Work, incident: Incident, step: DueStep, due_at: datetime) -> None:
    following = again(step, due_at, work.now)
    if following is not None:
        due, repeated = following
        await timers.add(work.tx, "step", due, _ENCODER.encode(repeated).decode(), incident=incident.id)
        work.effects.due(due)


def _name(step: DueStep, found: Whom) -> str:
    return step.named(found.named(step.notify))
