"""A dry run: what would become of alerts if they came at some moment. Nothing is written, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Status, Webhook
from bridge.domain.episode import News, reduce
from bridge.engine.explaining_ask import Ask, moment_of, request_of
from bridge.engine.explaining_groups import How, explain_group
from bridge.engine.explaining_hiding import Hiding
from bridge.engine.explaining_hooks import watch
from bridge.engine.explaining_news import Party, Stop
from bridge.engine.explaining_state import Group, Joined, Key, State, known, load
from bridge.engine.explaining_tree import Room
from bridge.engine.explaining_views import Explained, ExplainedAlert, ExplainedGroup, HookVerdict
from bridge.engine.generation import Generation, group_hash
from bridge.engine.on_call import Shifts
from bridge.engine.planner import notification_of_alert
from bridge.hooks.api import Hold, Pass, Verdict
from bridge.routing.route import Route
from bridge.routing.silences import Silences
from bridge.routing.trace import taken, trace
from bridge.routing.tree import group_labels
from bridge.storage.alerts import KnownAlert
from bridge.storage.snapshot import Reader

_ROUTES_SHOWN = 10_000
_AT_ONCE = 4


class Ground(Struct, frozen=True):
    """What a dry run stands on. `database` is None where there is none. `adopted`: what inhibits is kept in it by the rules
    of this configuration. `sealed`: credentials are not expected to open. `shifts`: what calendars say.
    """

    generation: Generation
    silences: Silences
    database: Reader | None
    adopted: bool = True
    sealed: bool = False
    shifts: Shifts = {}


class _Routed(Struct, frozen=True):
    """An alert as the hooks before routing left it. `routes` is empty if it is not routed."""

    alert: Alert
    explained: ExplainedAlert
    routes: tuple[Route, ...]

    @property
    def stays(self) -> bool:
        """It is in incidents already."""
        return self.explained.news in {News.REPEAT, News.RESOLVED}


class Explainer:
    """Answers a few questions at a time: hooks run for each, and may wait."""

    def __init__(self, ground: Callable[[], Ground]) -> None:
        self._ground = ground
        self._turn = asyncio.Semaphore(_AT_ONCE)

    async def answer(self, ask: Ask, now: datetime) -> Explained:
        """What would become of the alerts at the moment that is asked about.

        Raises:
            BadAsk: the question makes no sense.
            StorageError: the database cannot be read.
        """
        async with self._turn:
            ground = self._ground()
            at = moment_of(ask, now)
            request = request_of(ask, ground.generation.config, at)
            return await _DryRun(
                ground, request, at, How(ask.io, ground.sealed, shifts=ground.shifts), fresh=ask.fresh
            ).explained()


class _DryRun:
    """One question."""

    def __init__(self, ground: Ground, request: Webhook, now: datetime, how: How, *, fresh: bool) -> None:
        remembers = ground.database is not None and not fresh
        self._ground = ground
        self._generation = ground.generation
        self._request = request
        self._now = now
        self._how = replace(how, unheard=remembers)
        self._remembers = remembers
        self._room = Room(_ROUTES_SHOWN)

    async def explained(self) -> Explained:
        known = await self._known()
        routed = [await self._route(alert, known.get(alert.key)) for alert in self._request.alerts]
        entering = _entering(self._request, routed)
        state = await self._state(routed, {key: found.id for key, found in known.items()}, entering)
        hiding = Hiding(self._generation, self._ground.silences, state, tuple(one.alert for one in routed))
        groups: list[ExplainedGroup] = []
        for party in _parties(self._generation, routed, entering, state):
            groups.append(await explain_group(hiding, self._request, party, self._now, self._how))
            await asyncio.sleep(0)  # others are waiting, and there may be many groups
        alerts = tuple(one.explained for one in routed)
        told = any(group.told for group in groups)
        return Explained(self._now, told, alerts, tuple(groups), self._notes(alerts, groups))

    async def _known(self) -> Mapping[Key, KnownAlert]:
        if self._ground.database is None or not self._remembers:
            return {}
        return await self._ground.database.read(partial(known, supposed=self._request.alerts))

    async def _state(self, routed: list[_Routed], numbers: Mapping[Key, int], entering: Collection[Group]) -> State:
        if self._ground.database is None:
            return State()
        unit = partial(
            load,
            inhibition=self._generation.inhibition,
            supposed=[one.alert for one in routed],
            numbers=numbers,
            groups=entering if self._remembers else (),
            staying=[one.alert.key for one in routed if one.stays],
            adopted=self._ground.adopted,
        )
        return await self._ground.database.read(unit)

    async def _route(self, alert: Alert, known: KnownAlert | None) -> _Routed:
        """The alert's way to the tree. What is no news is not judged again by the hooks before it."""
        await asyncio.sleep(0)
        news, _ = reduce(known.episode if known else None, alert, self._now, in_order=alert.source == API)
        hooks: tuple[HookVerdict, ...] = ()
        stop = self._ignored(news, alert)
        before = self._generation.before
        if known is not None and news not in {News.OPENED, News.UNSEEN}:
            alert = _with(alert, known.added_labels, known.added_annotations)
        elif before is not None and not stop.why:
            watched = await watch(
                before, notification_of_alert(self._generation, alert, alert.status, self._now), io=self._how.io
            )
            hooks, stop, seen = watched.hooks, _stop(watched.judged.verdict), watched.seen
            alert = _with(alert, seen.labels.get(alert.fingerprint, {}), seen.annotations.get(alert.fingerprint, {}))
        visit = trace(self._generation.root, alert.labels) if not stop.why else None
        routes = taken(visit) if visit is not None else ()
        explained = ExplainedAlert(
            fingerprint=alert.fingerprint,
            source=alert.source,
            status=alert.status.value,
            starts_at=alert.starts_at,
            labels=alert.labels,
            annotations=alert.annotations,
            hooks=hooks,
            tree=self._room.shown(visit, alert.labels) if visit is not None else None,
            routes=tuple(route.id for route in routes),
            news=news.value,
            why=stop.why,
            until=stop.until,
        )
        return _Routed(alert, explained, routes)

    def _ignored(self, news: News, alert: Alert) -> Stop:
        """What a report is not even routed for."""
        if news is News.LATE:
            return Stop("late", until=self._now + self._generation.settle_of(alert.source))
        if news in {News.STALE, News.DUPLICATE}:
            return Stop(news.value)
        if news is News.UNSEEN and alert.source == API and self._remembers:
            return Stop("never_fired")
        return Stop()

    def _notes(self, alerts: Sequence[ExplainedAlert], groups: Sequence[ExplainedGroup]) -> tuple[str, ...]:
        verdicts = [
            verdict for hooks in (*(one.hooks for one in alerts), *(one.hooks for one in groups)) for verdict in hooks
        ]
        notes = []
        if any(verdict.verdict == "not_run" for verdict in verdicts):
            notes.append("hooks that ask other services were not run")
        if not self._remembers and any(alert.status is Status.RESOLVED for alert in self._request.alerts):
            notes.append("an end is told to those who were told of the firing: here that everybody was, is supposed")
        notes += [f"entry {left.index} is left out: {left.problem}" for left in self._request.quarantined]
        return tuple(notes)


def _stop(verdict: Verdict) -> Stop:
    if isinstance(verdict, Pass):
        return Stop()
    return Stop(verdict.reason, until=verdict.until if isinstance(verdict, Hold) else None)


def _with(alert: Alert, labels: Mapping[str, str], annotations: Mapping[str, str]) -> Alert:
    if not labels and not annotations:
        return alert
    return replace(alert, labels={**alert.labels, **labels}, annotations={**alert.annotations, **annotations})


def _entering(request: Webhook, routed: Sequence[_Routed]) -> dict[Group, Party]:
    """The groups that alerts enter anew."""
    found: dict[Group, Party] = {}
    for one in routed:
        for route in () if one.stays else one.routes:
            grouping = group_labels(route, one.alert.labels, request.group_labels)
            group = (one.alert.source, route.id, group_hash(one.alert.org, grouping))
            party = found.get(group) or Party(route, one.alert.source, grouping, ())
            found[group] = replace(party, alerts=(*party.alerts, one.alert))
    return found


def _parties(
    generation: Generation, routed: Sequence[_Routed], entering: Mapping[Group, Party], state: State
) -> list[Party]:
    """What enters anew, and what stays in the incidents where it is, whatever routes and hooks say now."""
    found: dict[str, Party] = {}
    for number, (group, party) in enumerate(entering.items()):
        incident = state.of_group.get(group)
        found[incident or f"new {number}"] = replace(party, joined=state.joined[incident] if incident else None)
    for one in routed:
        for name in state.of_alert.get(one.alert.key, ()):
            if (joined := state.joined.get(name)) is not None:
                party = found.get(name) or _of_incident(generation, joined)
                found[name] = replace(party, alerts=(*party.alerts, one.alert))
    return list(found.values())


def _of_incident(generation: Generation, joined: Joined) -> Party:
    incident = joined.incident
    route = generation.routes.get(incident.route) or Route(incident.route, incident.receiver)
    return Party(replace(route, receiver=incident.receiver), incident.source, incident.group_labels, (), joined)
