"""Somebody is called to an incident: told now by the channels of the moment, and later by the rules of the person.

A rule that waits is a timer. It stops and goes on as an escalation's steps do: an acknowledgement pauses it, the end of the
incident ends it. Who is called again while rules of his wait is told now, and by those once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.duration import format_duration
from bridge.domain.message import Reason
from bridge.domain.storm import GROUP
from bridge.engine import groups, outbox
from bridge.engine.notified import Later, Whom, whom
from bridge.engine.work import Work
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer

TIMER = "rule"


class DueRule(Struct, frozen=True):
    """A person's rule that waits: a timer's data. `step` names what the person was called by."""

    person: str
    kinds: tuple[str, ...]
    after_seconds: float
    step: str

    def __str__(self) -> str:
        return f"{self.person}, after {format_duration(timedelta(seconds=self.after_seconds))}: {', '.join(self.kinds)}"


_ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(DueRule)


def whom_now(work: Work, incident: Incident, words: Sequence[str]) -> Whom:
    """Whom the words come to at this moment."""
    return whom(work.generation.config, work.shifts, words, work.now, incident.receiver)


async def call(
    work: Work, incident: Incident, found: Whom, step: str, *, reason: Reason = Reason.ESCALATED, note: str = ""
) -> bool:
    """Tell whoever was found, and write when their later rules are due; whether anybody is told now or later."""
    for missing in found.missing:
        work.record(
            Kind.REROUTED, source=incident.source, incident=incident.id, reason=missing.why,
            detail=f"{missing.target}: {missing.instead or 'nobody'}",
        )  # fmt: skip
    plainly = [name for name in found.channels if name not in found.instead]
    told = await outbox.tell_channels(work, incident, plainly, reason, step=step, note=note, people=found.channels)
    for channel, why in found.instead.items():
        words = f"{note} {why}" if note else why
        told |= await outbox.tell_channels(
            work, incident, (channel,), reason, step=step, note=words, people=found.channels
        )
    for later in await _new(work, incident, found.later):
        rule = DueRule(later.person, later.kinds, later.after.total_seconds(), step)
        due = work.now + later.after
        await timers.add(work.tx, TIMER, due, _ENCODER.encode(rule).decode(), incident=incident.id)
        work.effects.due(due)
    return told or bool(found.later)


async def take_rule(work: Work, timer: Timer) -> None:
    """A rule whose timer was just deleted is due."""
    rule = DECODER.decode(timer.data)
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state != "open":
        reason = incident.state if incident else "incident_gone"
        work.record(Kind.SKIPPED, incident=timer.incident, reason=reason, detail=str(rule))
        return
    if await hidden(work, incident, timer):
        return
    person = work.generation.config.people.get(rule.person)
    kinds = tuple(kind for kind in rule.kinds if person is not None and kind in person.channels)
    if person is None or not kinds:
        work.record(Kind.SKIPPED, source=incident.source, incident=incident.id, reason="gone", detail=str(rule))
        return
    work.record(Kind.ESCALATED, source=incident.source, incident=incident.id, reason="rule", detail=str(rule))
    channels = person.told(kinds)
    step = f"{rule.step}@{rule.person}+{rule.after_seconds:g}"
    people = dict.fromkeys(channels, rule.person)
    await outbox.tell_channels(work, incident, channels, Reason.ESCALATED, step=step, people=people)
    await incidents.save(work.tx, replace(incident, told_at=work.now, updated_at=work.now))


async def hidden(work: Work, incident: Incident, timer: Timer) -> bool:
    """Whether nothing of the incident is shown at this moment: then what was due waits until something is."""
    if incident.group_hash == GROUP:
        return False
    again = await timers.add(work.tx, timer.kind, timer.due_at, timer.data, incident=incident.id)
    if await groups.see(work, incident):
        return True
    await timers.delete(work.tx, again)
    return False


async def _new(work: Work, incident: Incident, later: Sequence[Later]) -> list[Later]:
    """Those of people none of whose rules wait."""
    if not later:
        return []
    waiting = {DECODER.decode(timer.data).person for timer in await timers.of_incident(work.tx, incident.id, TIMER)}
    return [one for one in later if one.person not in waiting]
