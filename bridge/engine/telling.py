"""What people are told of an incident: the verdict of its route's hooks is asked for, and carried out."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Status
from bridge.domain.audit import Kind
from bridge.domain.escalation import schedule
from bridge.domain.message import Reason
from bridge.engine import outbox
from bridge.engine.event import FlushData
from bridge.engine.work import Work
from bridge.hooks.api import Drop, Hold, Notification, Pass, Transition
from bridge.hooks.chain import Judged
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident

REASONS = {
    Transition.OPENED: Reason.OPENED,
    Transition.CHANGED: Reason.CHANGED,
    Transition.RESOLVED: Reason.RESOLVED,
    Transition.REPEAT: Reason.REMINDER,
    Transition.STALE: Reason.REMINDER,
}
_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(FlushData)


async def tell_of(work: Work, incident: Incident, data: FlushData, alerts: tuple[Alert, ...]) -> Incident:
    """Judge what happened to an incident, now or when its hooks have run; gives the incident as it is to be saved."""
    waiting = None if data.first else await timers.flush_of(work.tx, incident.id)
    if waiting is not None:
        await timers.delete(work.tx, waiting.id)
        older = _DECODER.decode(waiting.data)
        if older.drops and data.transition is Transition.RESOLVED and incident.told_at is None:
            suppress(work, incident, "hold", "resolved_while_held", older.held)
        else:
            await wait(work, incident, _joined(work, incident, older, data), waiting)
        return incident
    chain = work.generation.chain(incident.route)
    if chain.does_io:
        await wait(work, incident, data, None)
        return incident
    return await apply(work, incident, data, chain.judge(notification_of(incident, data, alerts, work.now)))


def _joined(work: Work, incident: Incident, older: FlushData, data: FlushData) -> FlushData:
    """An event and the one that still waits for its judgement as one, so that an incident is judged once and in order."""
    opens = older.transition is Transition.OPENED and data.transition is not Transition.RESOLVED
    news = data.transition is not Transition.REPEAT
    # What a hook holds by its severity is judged anew when it gets worse.
    worse = news and work.generation.severities.rises(data.severity_before, incident.severity)
    return FlushData(
        transition=older.transition if opens or not news else data.transition,
        alerts=tuple(dict.fromkeys((*older.alerts, *data.alerts))),
        first=older.first,
        held="" if data.transition is Transition.RESOLVED or worse else older.held,
        severity_before=older.severity_before,
        due=older.due or data.due,
        drops=older.drops,
    )


async def wait(work: Work, incident: Incident, data: FlushData, waiting: timers.Timer | None) -> None:
    """Leave the judgement to a timer: at the hour a hook asked for, else at once."""
    due = waiting.due_at if waiting is not None and data.held else work.now
    await timers.add(work.tx, "flush", due, _ENCODER.encode(data).decode(), incident=incident.id)
    work.effects.due(due)


def flush_data(text: str) -> FlushData:
    return _DECODER.decode(text)


def notification_of(incident: Incident, data: FlushData, alerts: tuple[Alert, ...], now: datetime) -> Notification:
    """What the route's hooks see."""
    return Notification(
        now=now,
        transition=data.transition,
        alerts=alerts,
        source=incident.source,
        incident=incident.id,
        route=incident.route,
        receiver=incident.receiver,
        group_labels=incident.group_labels,
        severity=incident.severity,
        told_at=incident.told_at,
        acknowledged=incident.quiet,
        from_webhook=incident.source != API,
        due=data.due,
    )


async def apply(work: Work, incident: Incident, data: FlushData, judged: Judged) -> Incident:
    """Carry out the hooks' verdict; gives the incident as it is to be saved."""
    verdict = judged.verdict
    if isinstance(verdict, Pass):
        return await _pass(work, incident, data, verdict.notification)
    if isinstance(verdict, Drop):
        suppress(work, incident, judged.hook, verdict.reason, verdict.detail)
        return incident
    return await _hold(work, incident, data, judged.hook, verdict)


async def _hold(work: Work, incident: Incident, data: FlushData, hook: str, verdict: Hold) -> Incident:
    held = replace(data, held=verdict.reason, drops=verdict.drops)
    await timers.add(work.tx, "flush", verdict.until, _ENCODER.encode(held).decode(), incident=incident.id)
    work.effects.due(verdict.until)
    work.record(Kind.HELD, source=incident.source, incident=incident.id, reason=verdict.reason, detail=hook)
    return incident


async def _pass(work: Work, incident: Incident, data: FlushData, passed: Notification) -> Incident:
    if passed.labels or passed.annotations:
        for alert in passed.alerts:
            labels = passed.labels.get(alert.fingerprint, {})
            annotations = passed.annotations.get(alert.fingerprint, {})
            if labels or annotations:
                await incidents.enrich(work.tx, incident.id, alert, labels, annotations)
    if incident.quiet and data.transition is not Transition.RESOLVED:
        rises = work.generation.severities.rises(data.severity_before, incident.severity)
        if data.transition is not Transition.CHANGED or not rises:
            suppress(work, incident, "acknowledgement", "acknowledged")
            return incident
    only_ends = data.transition is Transition.CHANGED and all(
        alert.status is Status.RESOLVED for alert in passed.alerts
    )
    if not await outbox.tell(work, incident, REASONS[data.transition], first=data.first, only_ends=only_ends):
        return incident
    if passed.escalation and not incident.escalation and incident.state == "open":
        incident = await _escalate(work, incident, passed.escalation)
    return replace(incident, told_at=work.now)


async def _escalate(work: Work, incident: Incident, name: str) -> Incident:
    """Write the steps: the clock starts now, when the first notification became sendable here."""
    steps = work.generation.escalations.get(name, ())
    for due, step in schedule(name, steps, work.now):
        await timers.add(work.tx, "step", due, _ENCODER.encode(step).decode(), incident=incident.id)
        work.effects.due(due)
    return replace(incident, escalation=name)


def suppress(work: Work, incident: Incident, hook: str, reason: str, detail: str = "") -> None:
    kind = {"duplicate": Kind.DUPLICATE, "stale": Kind.STALE}.get(reason, Kind.SUPPRESSED)
    work.record(kind, source=incident.source, incident=incident.id, reason=reason, detail=detail or hook)
    work.effects.suppressed.append((hook, reason))
