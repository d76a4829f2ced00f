"""Why somebody was told of an incident, or was not: what hides its alerts, who heard what, and what is still to come."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bridge.domain.escalation import DueStep
from bridge.engine import rules
from bridge.engine.escalator import WINDOW
from bridge.engine.event import FlushData
from bridge.engine.muting import INHIBITED, MUTED, WAITS
from bridge.engine.quiet_ends import ACKNOWLEDGEMENT, SNOOZE
from bridge.engine.views import IncidentAlert, Pending, ToldOf
from bridge.hooks.api import Transition
from bridge.storage import alert_views, incident_views
from bridge.storage.incident_views import Waiting
from bridge.storage.incidents import Incident, Member
from bridge.storage.transaction import Tx

_STEP = msgspec.json.Decoder(DueStep)
_FLUSH = msgspec.json.Decoder(FlushData)


async def shown(tx: Tx, members: Sequence[Member]) -> tuple[IncidentAlert, ...]:
    """The alerts, with what hides each."""
    numbers = {int(member.hidden_by) for member in members if _is_inhibited(member)}
    fingerprints = await alert_views.fingerprints(tx, numbers)
    return tuple(
        _alert(member, fingerprints.get(int(member.hidden_by), "") if _is_inhibited(member) else member.hidden_by)
        for member in members
    )


async def told(tx: Tx, incident: Incident, members: Sequence[Member]) -> tuple[ToldOf, ...]:
    """What each channel was last told of each alert."""
    known = {member.alert_id: member for member in members}
    return tuple(
        ToldOf(one.channel, member.alert.fingerprint, one.status, one.episode != member.episode)
        for one in await incident_views.told(tx, incident.id)
        if (member := known.get(one.alert)) is not None
    )


async def pending(tx: Tx, incident: Incident, members: Sequence[Member]) -> tuple[Pending, ...]:
    """What the incident waits for, the next first."""
    return tuple(_pending(one, incident, members) for one in await incident_views.waiting(tx, incident.id))


def _pending(one: Waiting, incident: Incident, members: Sequence[Member]) -> Pending:
    left = None if one.left is None else one.left.total_seconds()
    if one.kind in {"step", WINDOW}:
        step = _STEP.decode(one.data)
        condition = f" ({step.condition})" if str(step.condition) else ""
        detail = str(step).removeprefix(f"{step.escalation} ") + condition
        return Pending(one.kind, one.due_at, step.escalation, detail, left is not None, left)
    if one.kind == rules.TIMER:
        rule = rules.decode(one.data)
        return Pending("rule", one.due_at, rule.person, str(rule), left is not None, left)
    if one.kind == SNOOZE:
        return Pending("snooze", one.due_at, incident.acknowledged_by)
    if one.kind == ACKNOWLEDGEMENT:
        return Pending("acknowledgement", one.due_at, one.data, incident.acknowledged_by)
    data = _FLUSH.decode(one.data)
    if one.kind == "flush":
        return Pending("judgement", one.due_at, data.held or "queued", data.transition.value)
    return Pending("look", one.due_at, _why(data, incident, members))


def _why(data: FlushData, incident: Incident, members: Sequence[Member]) -> str:
    if data.transition is Transition.OPENED or incident.told_at is None:
        return "opened"
    if any(member.hidden == WAITS if member.fires else member.planned == "firing" for member in members):
        return "news"
    return "end_of_mute" if any(member.hidden == MUTED for member in members) else "reminder"


def _is_inhibited(member: Member) -> bool:
    return member.hidden == INHIBITED and member.hidden_by.isdecimal()


def _alert(member: Member, hidden_by: str) -> IncidentAlert:
    alert = member.shown
    return IncidentAlert(
        fingerprint=alert.fingerprint,
        status=alert.status.value,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_text or alert.starts_at.isoformat(),
        ends_at=None if alert.ends_at is None else alert.ends_text or alert.ends_at.isoformat(),
        generator_url=alert.generator_url,
        hidden=member.hidden if member.fires else "",
        hidden_by=hidden_by if member.fires else "",
    )
