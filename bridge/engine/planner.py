"""From reports to incidents: reduce each alert, route what is new, group it, and conclude each incident once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import API, MANUAL, Alert, Status, Webhook
from bridge.domain.audit import Kind
from bridge.domain.crashpoint import crashpoint
from bridge.domain.episode import Episode, News, reduce
from bridge.domain.message import common
from bridge.domain.moment import new_id
from bridge.engine import groups, heartbeats, muting
from bridge.engine.conclude import conclude
from bridge.engine.event import Event
from bridge.engine.generation import Generation, group_hash
from bridge.engine.own_ends import renewed, with_end
from bridge.engine.work import Work
from bridge.hooks.api import Drop, Hold, Notification, Pass, Transition, Verdict
from bridge.routing.heartbeats import Expected
from bridge.routing.route import Route
from bridge.routing.tree import find, group_labels
from bridge.storage import alerts, incidents, timers
from bridge.storage.alerts import KnownAlert
from bridge.storage.incidents import Incident


class LateReport(Struct, frozen=True):
    """A report that waits to be judged again; a timer's data. `why`: `late` or the hook's reason."""

    alert: Alert
    group_labels: Mapping[str, str]
    why: str


class Counts(Struct):
    stored: int = 0
    duplicates: int = 0


_ENCODER = msgspec.json.Encoder()
Judged = Mapping[tuple[str, str, str], Verdict]


class Planner:
    """Plans one request within one transaction.

    `judged` holds what the hooks before routing said of each alert, where they did I/O and so ran outside.
    `confirmed` believes firings that came late: they have waited. `route` is taken whatever the labels say.
    """

    def __init__(
        self,
        work: Work,
        request: Webhook,
        judged: Judged | None = None,
        *,
        confirmed: bool = False,
        route: Route | None = None,
    ) -> None:
        self._work = work
        self._request = request
        self._judged = judged
        self._confirmed = confirmed
        self._route = route
        self._events: dict[str, Event] = {}
        self._by_group: dict[tuple[str, str], str] = {}
        self._repeated: dict[int, Alert] = {}
        self.counts = Counts()

    @property
    def incidents(self) -> tuple[str, ...]:
        """Ids of the incidents that the request touched."""
        return tuple(self._events)

    async def plan(self) -> Counts:
        """Apply every alert of the request, then conclude each incident it touched."""
        for alert in self._request.alerts:
            await self._apply(alert)
            crashpoint("reduce.mid_batch")
        if self._repeated:
            await self._reopen()
        for event in self._events.values():
            await conclude(self._work, event)
        return self.counts

    async def _apply(self, alert: Alert) -> None:
        for expected in self._heartbeats(alert):
            if alert.status is Status.FIRING:
                await heartbeats.beat(self._work, expected)
        known = await alerts.known(self._work.tx, alert.key)
        news, episode = reduce(
            known.episode if known else None,
            alert,
            self._work.now,
            confirmed=self._confirmed,
            in_order=alert.source == API,
        )
        alert = with_end(self._work.generation, self._request, alert, self._work.now)
        self.counts.stored += 1
        if news is News.UNSEEN and alert.source == API and episode is not None:
            await self._unseen(alert, known, episode)
            return
        if news in {News.OPENED, News.UNSEEN} and episode is not None:
            await self._enter(alert, known, episode)
            return
        if known is None or episode is None:
            return
        if news is News.RESOLVED:
            await self._leave(alert, known, episode)
        elif news is News.REPEAT:
            await self._repeat(alert, known, episode)
        elif news is News.LATE:
            await self._settle(alert, known)
        else:
            await self._ignore(news, alert, known, episode)

    async def _enter(self, alert: Alert, known: KnownAlert | None, episode: Episode) -> None:
        verdict = self._before_routing(alert, episode)
        if alert.source == MANUAL and not isinstance(verdict, Pass):  # a hook may add to a page, and not stop it
            verdict = Pass(notification_of_alert(self._work.generation, alert, episode.status, self._work.now))
        if not isinstance(verdict, Pass):
            await self._stop_before_routing(alert, known, verdict)
            return
        added_labels = verdict.notification.labels.get(alert.fingerprint, {})
        added_annotations = verdict.notification.annotations.get(alert.fingerprint, {})
        known_id = known.id if known else 0
        await self._forget_late(alert, known, Status.RESOLVED)
        alert_id = await alerts.put(
            self._work.tx, known_id, alert, episode, added_labels, added_annotations, self._work.now
        )
        known = KnownAlert(alert_id, episode, added_labels, added_annotations)
        shown = _shown(alert, known)
        await muting.begins_to_fire(self._work, alert_id, shown)
        reopened = await self._reopened(alert_id, episode.number - 1) if self._confirmed else []
        for event in reopened:
            await self._join(event, shown, known, fresh=not known_id)
        if reopened:
            return
        if self._heartbeats(alert):
            return  # what always fires tells people nothing: its absence does
        for route in (self._route,) if self._route else find(self._work.generation.root, shown.labels):
            event = await self._event_of_group(route, shown)
            await self._join(event, shown, known, fresh=not known_id)

    def _heartbeats(self, alert: Alert) -> Sequence[Expected]:
        return self._work.generation.heartbeats.carried_by(alert.source, alert.labels)

    async def _reopened(self, alert_id: int, ended: int) -> list[Event]:
        """A firing that came late and stayed goes back to the incidents of the episode that its resolve had ended."""
        found = []
        for incident_id in await incidents.of_episode(self._work.tx, alert_id, ended):
            event = await self._event_of(incident_id)
            if event is not None:
                if event.incident.state == "resolved":
                    event.reopen()
                found.append(event)
        return found

    async def _join(self, event: Event, alert: Alert, known: KnownAlert, *, fresh: bool) -> None:
        incident, labels = event.incident, alert.labels
        again = not fresh and not event.first and await incidents.has_resolved(self._work.tx, incident.id, known.id)
        event.resolved -= again
        firing = known.episode.status is Status.FIRING
        veil = muting.waiting(self._work, incident, alert, again=again) if firing else None
        await incidents.join(self._work.tx, incident.id, known, alert, *((veil.why, veil.by) if veil else ()))
        if firing:
            event.opened.append(alert)
            event.firing += 1
        else:
            event.ended.append(alert)
            event.resolved += 1
        severity = self._work.generation.severities.of(labels)
        alone = event.first and len(event.opened) + len(event.ended) == 1
        event.incident = replace(
            incident,
            severity=self._work.generation.severities.worst((incident.severity, severity)),
            labels=dict(labels) if alone else common([incident.labels, labels]),
            external_url=self._request.external_url,
            group_key=self._request.group_key,
            truncated=self._request.truncated,
        )

    async def _event_of_group(self, route: Route, alert: Alert) -> Event:
        grouping = group_labels(route, alert.labels, self._request.group_labels)
        digest = group_hash(alert.org, grouping)
        incident_id = self._by_group.get((route.id, digest))
        if incident_id is not None:
            return self._events[incident_id]
        incident = await incidents.open_in_group(self._work.tx, alert.source, route.id, digest)
        first = incident is None
        if incident is None:
            now = self._work.now
            incident = Incident(
                new_id(now), alert.source, route.id, route.receiver, digest, grouping, {}, "open", 0, "", now, now
            )
        self._by_group[route.id, digest] = incident.id
        return self._events.setdefault(
            incident.id,
            Event(incident, first, incident.severity, firing=incident.firing, resolved=incident.resolved),
        )

    async def _event_of(self, incident_id: str) -> Event | None:
        if incident_id not in self._events:
            incident = await incidents.get(self._work.tx, incident_id)
            if incident is None:
                return None
            self._events[incident_id] = Event(
                incident, severity_before=incident.severity, firing=incident.firing, resolved=incident.resolved
            )
            if incident.state != "resolved":  # what is new goes to an incident that is open
                self._by_group[incident.route, incident.group_hash] = incident_id
        return self._events[incident_id]

    async def _leave(self, alert: Alert, known: KnownAlert, episode: Episode) -> None:
        work = self._work
        await alerts.put(work.tx, known.id, alert, episode, known.added_labels, known.added_annotations, work.now)
        await groups.ends_to_fire(work, known.id)
        for incident_id in await incidents.with_firing(work.tx, known.id):
            event = await self._event_of(incident_id)
            if event is None:
                continue
            await incidents.end(work.tx, incident_id, known.id, episode.ends_at or work.now, alert.ends_text)
            event.firing -= 1
            event.resolved += 1
            if event.incident.state == "resolved":  # by hand, before the sender said so
                event.incident = replace(event.incident, firing=event.firing, resolved=event.resolved)
                await incidents.save(work.tx, event.incident)
                del self._events[incident_id]
                self._by_group.pop((event.incident.route, event.incident.group_hash), None)
            else:
                event.ended.append(_shown(alert, known))

    async def _repeat(self, alert: Alert, known: KnownAlert, episode: Episode) -> None:
        work = self._work
        self.counts.duplicates += 1
        merged = renewed(alert, known, work.now)
        if alert.source == API:
            episode = replace(episode, starts_at=merged.starts_at)
        await alerts.seen(work.tx, known.id, merged, episode, work.now)
        if alert.source == API:
            if merged.starts_at < known.episode.starts_at:
                await groups.hasten(work, known.id, merged.starts_at)
            self._repeated[known.id] = _shown(alert, known)
            return
        for incident_id in await incidents.with_firing(work.tx, known.id):
            await self._say_again(incident_id, _shown(alert, known))

    async def _say_again(self, incident_id: str, shown: Alert) -> None:
        event = await self._event_of(incident_id)
        if event is not None:
            event.repeated.append(shown)
            if event.incident.state == "resolved" and _may_reopen(event.incident, self._work):
                event.reopen()

    async def _reopen(self) -> None:
        """Over API v2 a repeat is no reminder: it counts only in an incident that was ended by hand."""
        for incident_id, alert_id in await incidents.ended_with_firing(self._work.tx, list(self._repeated)):
            await self._say_again(incident_id, self._repeated[alert_id])

    async def _unseen(self, alert: Alert, known: KnownAlert | None, episode: Episode) -> None:
        """The end of a firing that never came over API v2: kept, and told to nobody, since nobody heard of it."""
        labels, annotations = (known.added_labels, known.added_annotations) if known else ({}, {})
        known_id = known.id if known else 0
        await alerts.put(self._work.tx, known_id, alert, episode, labels, annotations, self._work.now)
        self._work.record(Kind.STALE, source=alert.source, reason="never_fired", detail=alert.fingerprint)
        self._work.effects.suppressed.append(("dedupe", "never_fired"))

    async def _settle(self, alert: Alert, known: KnownAlert) -> None:
        """Hold a firing that is no newer than an end already known: its resolve may be on the way."""
        if await timers.of_alert(self._work.tx, known.id):
            self.counts.duplicates += 1
            return
        await self._wait(alert, known.id, self._work.generation.settle_of(alert.source), "late")

    async def _ignore(self, news: News, alert: Alert, known: KnownAlert, episode: Episode) -> None:
        self.counts.duplicates += 1
        await self._forget_late(alert, known, alert.status)
        if news is News.DUPLICATE:
            await alerts.seen(self._work.tx, known.id, alert, episode, self._work.now)
        kind = Kind.STALE if news is News.STALE else Kind.DUPLICATE
        # Prometheus sends an end for fifteen minutes; `received` has each of its requests, and the same end is no event.
        if alert.source != API or episode != known.episode or kind is Kind.STALE:
            self._work.record(kind, source=alert.source, reason="resolved", detail=alert.fingerprint)
        self._work.effects.suppressed.append(("dedupe", kind.value))

    async def _forget_late(self, alert: Alert, known: KnownAlert | None, status: Status) -> None:
        """A late firing that was held turns out to be stale once a resolve follows it."""
        if known is None or status is not Status.RESOLVED or known.episode.ends_at is None:
            return
        for timer, _data in await timers.of_alert(self._work.tx, known.id):
            await timers.delete(self._work.tx, timer)
            self._work.record(Kind.STALE, source=alert.source, reason="late", detail=alert.fingerprint)
            self._work.effects.suppressed.append(("dedupe", "stale"))

    async def _wait(self, alert: Alert, alert_id: int, span: timedelta, why: str) -> None:
        due = self._work.now + span
        data = _ENCODER.encode(LateReport(alert, self._request.group_labels, why)).decode()
        await timers.add(self._work.tx, "alert", due, data, alert=alert_id)
        self._work.effects.due(due)
        self._work.record(Kind.HELD, source=alert.source, reason=why, detail=alert.fingerprint)

    def _before_routing(self, alert: Alert, episode: Episode) -> Verdict:
        chain = self._work.generation.before
        notification = notification_of_alert(self._work.generation, alert, episode.status, self._work.now)
        if chain is None:
            return Pass(notification)
        if self._judged is not None and alert.key in self._judged:
            return self._judged[alert.key]
        if chain.does_io:  # judged outside as no news, and news since: better told plain than lost
            return Pass(notification)
        return chain.judge(notification).verdict

    async def _stop_before_routing(self, alert: Alert, known: KnownAlert | None, verdict: Drop | Hold) -> None:
        """A dropped alert leaves no state: its next report is judged afresh."""
        if isinstance(verdict, Hold):
            await self._wait(alert, known.id if known else 0, verdict.until - self._work.now, verdict.reason)
            return
        self._work.record(
            Kind.SUPPRESSED, source=alert.source, reason=verdict.reason, detail=verdict.detail or alert.fingerprint
        )
        self._work.effects.suppressed.append(("before_routing", verdict.reason))


def _shown(alert: Alert, known: KnownAlert) -> Alert:
    """The alert with what hooks before routing added at its episode's start; its identity stays."""
    if not known.added_labels and not known.added_annotations:
        return alert
    return replace(
        alert,
        labels={**alert.labels, **known.added_labels},
        annotations={**alert.annotations, **known.added_annotations},
    )


def notification_of_alert(generation: Generation, alert: Alert, status: Status, now: datetime) -> Notification:
    """What the hooks before routing see of an alert."""
    return Notification(
        now=now,
        transition=Transition.OPENED if status is Status.FIRING else Transition.RESOLVED,
        alerts=(alert,),
        source=alert.source,
        severity=generation.severities.of(alert.labels),
    )


def _may_reopen(incident: Incident, work: Work) -> bool:
    ended = incident.resolved_at
    return ended is not None and work.now - ended >= work.generation.config.reopen_within
