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
from bridge.domain.escalation import DueStep, again
from bridge.domain.storm import GROUP
from bridge.engine import calling, groups
from bridge.engine.notified import Whom
from bridge.engine.work import Work
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer

_DECODER = msgspec.json.Decoder(DueStep)
_ENCODER = msgspec.json.Encoder()


async def take_step(work: Work, timer: Timer) -> bool:
    """Take a due step whose timer was just deleted; whether anybody is told."""
    crashpoint("esc.before_claim")
    step = _DECODER.decode(timer.data)
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state != "open":
        reason = incident.state if incident else "incident_gone"
        work.record(Kind.SKIPPED, incident=timer.incident, reason=reason, detail=_name(step))
        return False
    if await calling.hidden(work, incident, timer):
        return False
    found = calling.whom_now(work, incident, step.notify)
    work.record(
        Kind.ESCALATED, source=incident.source, incident=incident.id, reason=step.escalation, detail=_name(step, found)
    )
    await _tell(work, incident, step, found, timer.due_at)
    crashpoint("esc.after_claim")
    return True


async def take_next(work: Work, incident: Incident, by: str, via: Via) -> str:
    """Take the next step at once because somebody says so, whether the incident is open or quiet; why nobody is told.

    A step that was never taken goes before one that repeats. The others keep their times.
    """
    steps = [(timer, _DECODER.decode(timer.data)) for timer in await timers.steps(work.tx, incident.id)]
    if not steps:
        return "there is no step left to take"
    if incident.group_hash != GROUP and await groups.see(work, incident):
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
    await incidents.save(work.tx, replace(incident, told_at=work.now, updated_at=work.now))
    following = again(step, due_at, work.now)
    if following is not None:
        due, repeated = following
        await timers.add(work.tx, "step", due, _ENCODER.encode(repeated).decode(), incident=incident.id)
        work.effects.due(due)


def _name(step: DueStep, found: Whom | None = None) -> str:
    repeated = f", repeat {step.done} of {step.times}" if step.done else ""
    names = found.named(step.notify) if found else ", ".join(step.notify)
    return f"{step.escalation} step {step.index + 1}{repeated}: {names}"
