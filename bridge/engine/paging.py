"""Paging somebody by hand: an incident that no alert opened, and that is told, escalated and ended like any other.

Every page is an alert of its own, in a group of its own: none joins another that somebody has acknowledged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.act import ActDetail, Via
from bridge.domain.alert import MANUAL, Alert, Status, Webhook, fingerprint
from bridge.domain.audit import Kind
from bridge.domain.episode import Episode
from bridge.domain.moment import new_id
from bridge.engine import calling
from bridge.engine.planner import Planner
from bridge.engine.teamwork import Teamwork
from bridge.engine.views import IncidentDetail
from bridge.engine.work import Work
from bridge.routing.route import Route
from bridge.storage import alerts, incidents
from bridge.storage.alerts import KnownAlert
from bridge.storage.incidents import Incident, Member

_ALERTNAME = "alertname"


class Page(Struct, frozen=True):
    """What somebody is paged for. `receiver` is a receiver, a channel, a person, or `on_call/SCHEDULE`; if it is empty, the
    labels are routed.

    `key`: a page with the key of one that is not over yet is that one. Empty, and every page is new.
    """

    title: str
    text: str = ""
    severity: str = ""
    labels: Mapping[str, str] = {}
    receiver: str = ""
    key: str = ""


class Paging(Teamwork):
    """Acts for a person; `by` is who, `via` by which way."""

    async def page(self, page: Page, by: str, now: datetime, via: Via = Via.API) -> IncidentDetail:
        """Open an incident by hand and have its people told; gives it.

        Raises:
            NotFound: nobody is known by the name of the receiver.
        """

        async def decision(work: Work) -> tuple[str, str]:
            route = _route(work, page.receiver)
            key = page.key or new_id(work.now)
            alert = _alert(work, page, by, key)
            known = await alerts.known(work.tx, alert.key)
            if known is not None and (going_on := await incidents.with_firing(work.tx, known.id)):
                return going_on[0], "this was paged already"
            request = Webhook(MANUAL, "manual", (alert,), org=key, group_labels={_ALERTNAME: alert.labels[_ALERTNAME]})
            planner = Planner(work, request, route=route)
            await planner.plan()
            opened = planner.incidents
            detail = str(ActDetail(via, to=page.receiver, text=page.title))
            work.record(Kind.RECEIVED, actor=by, source=MANUAL, incident=opened[0], detail=detail)
            also = ", ".join(opened[1:])
            return opened[0], f"its routes opened these as well: {also}" if also else ""

        incident, note = await self._transactions.write(now, decision)
        return await self.incident(incident, note=note)


async def end_page(work: Work, incident: Incident) -> Incident:
    """Nobody but the one who resolves it says that a page is over; gives the incident as it is to be saved."""
    ended = 0
    for member in await incidents.members(work.tx, incident.id):
        if member.fires:
            await incidents.end(work.tx, incident.id, member.alert_id, work.now, work.now.isoformat())
            if not await incidents.with_firing(work.tx, member.alert_id):
                await _end_alert(work, member)
            ended += 1
    return replace(incident, firing=incident.firing - ended, resolved=incident.resolved + ended)


async def _end_alert(work: Work, member: Member) -> None:
    known: KnownAlert | None = await alerts.known(work.tx, member.alert.key)
    if known is None:
        return
    began = known.episode.starts_at
    over = Episode(known.episode.number, Status.RESOLVED, began, max(began, work.now))
    alert = replace(member.alert, status=Status.RESOLVED, ends_at=over.ends_at, ends_text=work.now.isoformat())
    await alerts.put(work.tx, known.id, alert, over, known.added_labels, known.added_annotations, work.now)


def _route(work: Work, receiver: str) -> Route | None:
    """The root route, with that receiver; None where the labels are to be routed.

    Raises:
        NotFound: there is nobody of that name.
    """
    if not receiver:
        return None
    return replace(work.generation.root, receiver=calling.word_for(work.generation.config, receiver), routes=())


def _alert(work: Work, page: Page, by: str, key: str) -> Alert:
    severity = {work.generation.severities.label: page.severity} if page.severity else {}
    labels = {_ALERTNAME: page.title, **page.labels, **severity}
    annotations = {"summary": f"{page.text or page.title} (paged by {by})"}
    now = work.now
    return Alert(
        MANUAL, key, fingerprint({"page": key}), Status.FIRING, labels, annotations, now, None, now.isoformat(), ""
    )
