"""What people do with an incident together: say something, hand it over, call others."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bridge.domain.act import ActDetail, Via
from bridge.domain.audit import Kind
from bridge.domain.errors import NotFound
from bridge.domain.message import Reason
from bridge.engine import outbox
from bridge.engine.escalator import take_next
from bridge.engine.queries import Queries
from bridge.engine.views import IncidentDetail
from bridge.engine.work import Work
from bridge.storage import incidents, on_call
from bridge.storage.incidents import Incident
from bridge.storage.on_call import Comment, Responder


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
        """Say whose it is. He may take it over from whoever acknowledged it.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to assign"
            if found.owner == to:
                return f"it is assigned to {to} already"
            detail = str(ActDetail(via, to=to))
            work.record(Kind.ASSIGNED, actor=by, source=found.source, incident=found.id, detail=detail)
            owned = replace(found, owner=to, version=found.version + 1, updated_at=work.now)
            await incidents.save(work.tx, owned)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def add_responder(
        self, incident: str, who: str, by: str, now: datetime, via: Via = Via.API
    ) -> IncidentDetail:
        """Call a receiver or channel: it hears of the incident now, whoever has it, and of its end.

        Raises:
            NotFound: no such incident, receiver or channel.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            channels = work.generation.config.channels_of(who)
            if not channels:
                raise NotFound(f"no receiver or channel {who}")
            if found.state == "resolved":
                return "the incident is resolved already; nobody was called"
            if not await on_call.call(work.tx, found.id, Responder(who, work.now, by)):
                return f"{who} was called already"
            detail = str(ActDetail(via, to=who))
            work.record(
                Kind.ESCALATED, actor=by, source=found.source, incident=found.id, reason="responder", detail=detail
            )
            note, step = f"{by} asks for help.", f"responder {who}"
            told = await outbox.tell_channels(work, found, channels, Reason.ESCALATED, note=note, step=step)
            return "" if told else f"no channel of {who} takes escalations: see its send_on"

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


async def get(work: Work, incident: str) -> Incident:
    """An incident.

    Raises:
        NotFound: there is none of this id.
    """
    found = await incidents.get(work.tx, incident)
    if found is None:
        raise NotFound(f"no incident {incident}")
    return found
