"""What people do to incidents. The first to acknowledge wins; the second is told who."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bridge.domain.act import ActDetail, Via
from bridge.domain.alert import MANUAL
from bridge.domain.audit import Kind
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import Conflict
from bridge.domain.message import Reason
from bridge.domain.standing import given_back
from bridge.engine import outbox, quiet
from bridge.engine.paging import Paging, end_page
from bridge.engine.teamwork import get
from bridge.engine.views import IncidentDetail
from bridge.engine.work import Work
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident


class IncidentActs(Paging):
    """Acts for a person; `by` is who, `via` by which way. Every act is one transaction with its audit record.

    An act that changes nothing says so in the answer's `note`.
    """

    async def acknowledge(self, incident: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Stop the noise: what is queued for the incident is cancelled, no further step starts.

        The same person again, or a resolved incident: unchanged, with a note. Who snoozed it acknowledges it without end;
        whom it is assigned to takes it over. Where acknowledgements expire, the same person again begins the time anew.

        Raises:
            NotFound: no such incident.
            Conflict: somebody else acknowledged or snoozed it first.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to acknowledge"
            _first_wins(found, by)
            if found.state == "acknowledged" and found.acknowledged_by == by:
                return await quiet.renew(work, found, by, ActDetail(via))
            await quiet.hush(work, found, by, ActDetail(via))
            crashpoint("ack.before_commit")
            return ""

        return await self._hushed(incident, await self._transactions.write(now, decision))

    async def snooze(
        self, incident: str, until: datetime, by: str, now: datetime, via: Via = Via.API
    ) -> IncidentDetail:
        """Acknowledge it until that time: then it is open again, told as a reminder, and its steps go on.

        Who acknowledged or snoozed it may give it another end. A resolved incident, a time that is over, the end that it
        has: unchanged, with a note.

        Raises:
            NotFound: no such incident.
            Conflict: somebody else acknowledged or snoozed it first.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to snooze"
            _first_wins(found, by)
            if until <= work.now:
                return "that time is over; nothing was snoozed"
            if found.snoozed_until == until and found.acknowledged_by == by:
                return "you snoozed it until then already"
            await quiet.hush(work, found, by, ActDetail(via, until))
            crashpoint("ack.before_commit")
            return ""

        return await self._hushed(incident, await self._transactions.write(now, decision))

    async def _hushed(self, incident: str, note: str) -> IncidentDetail:
        crashpoint("ack.after_commit")
        return await self.incident(incident, note=note)

    async def unacknowledge(self, incident: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Take an acknowledgement or a snooze back: the remaining steps wait on, and the receiver hears of it again.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if not found.quiet:
                return f"the incident is {found.state}; nothing to take back"
            note = f"{given_back(by, via.value)}."
            await quiet.rouse(work, found, actor=by, detail=str(ActDetail(via)), note=note)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def resolve(self, incident: str, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """End an incident by hand. Its sender's repeats are `duplicate` until `reopen_within`, then it reopens.
        A page by hand has no sender: it is over.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already"
            ended = replace(
                found, state="resolved", version=found.version + 1, updated_at=now, resolved_at=now, resolved_by=by,
                via=via.value,
            )  # fmt: skip
            detail = str(ActDetail(via))
            work.record(
                Kind.RESOLVED, actor=by, source=found.source, incident=found.id, reason="by_hand", detail=detail
            )
            work.effects.resolved.append((found.route, (now - found.opened_at).total_seconds()))
            await timers.stop_steps(work.tx, found.id)
            if found.source == MANUAL:
                ended = await end_page(work, ended)
            await outbox.tell(work, ended, Reason.RESOLVED, first=False)
            await incidents.save(work.tx, ended)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))


def _first_wins(found: Incident, by: str) -> None:
    if found.quiet and by not in {found.acknowledged_by, found.owner}:
        what = "snoozed" if found.snoozed_until else "acknowledged"
        raise Conflict(f"{what} by {found.acknowledged_by} already", found.acknowledged_by)
