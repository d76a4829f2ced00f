"""Somebody is called to an incident: told now by the channels of the moment, and later by the rules of the person.

Who is called again while rules of his wait is told now, and by those once.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from bridge.config.model import Config
from bridge.domain.audit import Kind
from bridge.domain.errors import NotFound
from bridge.domain.message import Reason
from bridge.domain.storm import GROUP
from bridge.domain.target import Target, TargetKind
from bridge.engine import groups, outbox, rules
from bridge.engine.notified import Whom, whom
from bridge.engine.work import Work
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer


def word_for(config: Config, text: str) -> str:
    """The word for whom somebody means: a receiver or channel, `person/NAME`, `on_call/SCHEDULE`, or a person's name.

    Raises:
        NotFound: there is nobody of that name.
    """
    if config.channels_of(text):
        return text
    target = Target.of(text)
    if target.kind is TargetKind.PERSON and target.name in config.people:
        return text
    if target.kind is TargetKind.ON_CALL and target.name in config.schedules:
        return text
    if text in config.people:
        return str(Target(TargetKind.PERSON, text))
    raise NotFound(f"no receiver, channel or person {text}" if "/" not in text else f"nobody is known as {text}")


def whom_now(work: Work, incident: Incident, words: Sequence[str]) -> Whom:
    """Whom the words come to at this moment."""
    config, otherwise = work.generation.config, outbox.otherwise(work, incident)
    return whom(config, work.shifts, words, work.now, otherwise, Reason.ESCALATED)


async def call(work: Work, incident: Incident, found: Whom, step: str, *, note: str = "") -> bool:
    """Tell whoever was found, and write when their later rules are due; whether anybody is told now or later."""
    told = await outbox.tell_found(work, incident, found, Reason.ESCALATED, step=step, note=note)
    await rules.write(work, incident.id, found.later, step)
    return told or bool(found.later)


async def take_rule(work: Work, timer: Timer) -> None:
    """A rule whose timer was just deleted is due."""
    rule = rules.decode(timer.data)
    incident = await incidents.get(work.tx, timer.incident)
    if incident is None or incident.state != "open":
        reason = incident.state if incident else "incident_gone"
        work.record(Kind.SKIPPED, incident=timer.incident, reason=reason, detail=str(rule))
        return
    incident, hidden = await look(work, incident, timer)
    if hidden:
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


async def look(work: Work, incident: Incident, timer: Timer) -> tuple[Incident, bool]:
    """As `groups.see`: while nothing of the incident is shown what was due waits until something is."""
    if incident.group_hash == GROUP:
        return incident, False
    again = await timers.add(work.tx, timer.kind, timer.due_at, timer.data, incident=incident.id)
    incident, hidden = await groups.see(work, incident)
    if not hidden:
        await timers.delete(work.tx, again)
    return incident, hidden
