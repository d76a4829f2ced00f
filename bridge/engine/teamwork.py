"""What people do with an incident together: say something, hand it over, call others."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bridge.domain.act import ActDetail, Via
from bridge.domain.audit import Kind
from bridge.domain.errors import NotFound
from bridge.domain.schedules import on_call as who_is_on_call
from bridge.domain.storm import GROUP
from bridge.domain.target import Target, TargetKind
from bridge.engine import calling, groups
from bridge.engine.escalator import take_next
from bridge.engine.notified import Whom
from bridge.engine.on_call import schedule_of
from bridge.engine.queries import Queries
from bridge.engine.views import IncidentDetail
from bridge.engine.work import Work
from bridge.storage import incidents, on_call, timers
from bridge.storage.incidents import Incident
from bridge.storage.on_call import Comment, Responder

_HIDDEN = "all of it is silenced, inhibited or muted"


class Teamwork(Queries):
    """Acts for a person; `by` is who, `via` by which way. Every act is one transaction with its audit record.

    An act that changes nothing says so in the answer's `note`.
    """

    async def comment(self, incident: str, text: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Keep what somebody says about an incident, also after its end. The same once more is not kept twice.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            last = await on_call.last_comment(work.tx, found.id)
            if last is not None and (last.by, last.text) == (by, text):
                return "you said so already"
            await on_call.comment(work.tx, found.id, Comment(work.now, by, via.value, text))
            detail = str(ActDetail(via, text=text))
            work.record(Kind.COMMENTED, actor=by, source=found.source, incident=found.id, detail=detail)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def assign(self, incident: str, to: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Say whose it is: a name, or a word for a person or for whoever is on call. He may take it over from whoever
        acknowledged it; whom the configuration knows is told, unless he says so himself. Of several on call it is the first's,
        and the answer names the others.

        Raises:
            NotFound: no such incident, or the word is for nobody.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to assign"
            owner, *others = _owners(work, to) or [""]
            if not owner:
                return f"nobody is on call for {Target.of(to).name}; it was not assigned"
            if found.owner in {owner, *others}:
                return f"it is assigned to {found.owner} already"
            note = f"it is assigned to {owner}; on call with them: {', '.join(others)}" if others else ""
            detail = str(ActDetail(via, to=owner if owner == to else f"{to} ({owner})"))
            work.record(Kind.ASSIGNED, actor=by, source=found.source, incident=found.id, detail=detail)
            owned = replace(found, owner=owner, version=found.version + 1, updated_at=work.now)
            await incidents.save(work.tx, owned)
            person = work.generation.config.people.get(owner)
            if person is not None and person.rules and owner != by:
                if await _hidden(work, owned):
                    unheard = f"{_HIDDEN}: {owner} is not told"
                    return f"{note}. {unheard}" if note else unheard
                called = calling.whom_now(work, owned, (str(Target(TargetKind.PERSON, owner)),))
                if called.missing:  # nobody takes an incident over for somebody else
                    unheard = f"{called.missing[0]} It is theirs, but they were not told."
                    return f"{note}. {unheard}" if note else unheard
                await self._call(work, owned, called, f"assigned {owner}", f"{by} assigned this to {person.shown}.")
            return note

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def add_responder(
        self, incident: str, who: str, by: str, now: datetime, via: Via = Via.API
    ) -> IncidentDetail:
        """Call a receiver, a channel, a person or whoever is on call: they hear of the incident now, whoever has it, and
        of its end.

        Raises:
            NotFound: no such incident, or nobody of that name.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            word = calling.word_for(work.generation.config, who)
            if found.state == "resolved":
                return "the incident is resolved already; nobody was called"
            if await _hidden(work, found):
                return f"{_HIDDEN}: nobody is called"
            if not await on_call.call(work.tx, found.id, Responder(word, work.now, by)):
                return f"{word} was called already"
            called = calling.whom_now(work, found, (word,))
            detail = str(ActDetail(via, to=called.named((word,))))
            work.record(
                Kind.ESCALATED, actor=by, source=found.source, incident=found.id, reason="responder", detail=detail
            )
            told = await self._call(work, found, called, f"responder {word}", f"{by} asks for help.")
            if not told and not called.missing:
                return f"no channel of {word} takes escalations: see its send_on"
            return " ".join(missing.answer for missing in called.missing)

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def escalate(self, incident: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Take the escalation's next step at once, whoever has the incident.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to escalate"
            return await take_next(work, found, by, via)

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def _call(self, work: Work, incident: Incident, called: Whom, step: str, note: str) -> bool:
        """Call those who were found, whoever has the incident; whether anybody is told."""
        told = await calling.call(work, incident, called, step, note=note)
        if incident.quiet:
            await timers.pause_steps(work.tx, incident.id, work.now)
        return told


def _owners(work: Work, to: str) -> list[str]:
    """The names behind whom somebody means, the one whose it is to be first; empty if nobody is on call.

    Raises:
        NotFound: the word is for nobody that there is.
    """
    target = Target.of(to)
    if target.kind is TargetKind.RECEIVER:
        return [to]
    calling.word_for(work.generation.config, to)
    if target.kind is TargetKind.PERSON:
        return [target.name]
    schedule = schedule_of(work.generation.config, work.shifts, target.name)
    return list(who_is_on_call(schedule, work.now)) if schedule else []


async def _hidden(work: Work, incident: Incident) -> bool:
    """Whether nothing of an incident is shown, so that a message about it would say nothing, and is not sent."""
    if incident.group_hash == GROUP:
        return False
    _incident, hidden = await groups.see(work, incident)
    return hidden


async def get(work: Work, incident: str) -> Incident:
    """An incident.

    Raises:
        NotFound: there is none of this id.
    """
    found = await incidents.get(work.tx, incident)
    if found is None:
        raise NotFound(f"no incident {incident}")
    return found
