"""A dry run: what would become of alerts if they came at some moment. Nothing is written, and nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import Alert, Status, Webhook
from bridge.engine.explaining_ask import Ask, moment_of, request_of
from bridge.engine.explaining_groups import How, Party, explain_group
from bridge.engine.explaining_hiding import Hiding
from bridge.engine.explaining_hooks import watch
from bridge.engine.explaining_state import Group, State, load
from bridge.engine.explaining_tree import Room
from bridge.engine.explaining_views import Explained, ExplainedAlert, ExplainedGroup, HookVerdict
from bridge.engine.generation import Generation, group_hash
from bridge.engine.planner import notification_of_alert
from bridge.hooks.api import Pass
from bridge.routing.route import Route
from bridge.routing.silences import Silences
from bridge.routing.trace import taken, trace
from bridge.routing.tree import group_labels
from bridge.storage.snapshot import Reader

_ROUTES_SHOWN = 10_000
_AT_ONCE = 4
_WITHOUT_HOOKS = "hooks that wait for other services were not run"


class Ground(Struct, frozen=True):
    """What a dry run stands on. `database` is None where there is none. `adopted`: what inhibits is kept in it by the rules
    of this configuration. `sealed`: credentials are not expected to open.
    """

    generation: Generation
    silences: Silences
    database: Reader | None
    adopted: bool = True
    sealed: bool = False


class _Routed(Struct, frozen=True):
    """An alert as the hooks before routing left it. `routes` is empty if they stopped it."""

    alert: Alert
    explained: ExplainedAlert
    routes: tuple[Route, ...]


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
            return await _explain(ground, request_of(ask, ground.generation.config, at), at, How(ask.io, ground.sealed))


async def _explain(ground: Ground, request: Webhook, now: datetime, how: How) -> Explained:
    generation = ground.generation
    room = Room(_ROUTES_SHOWN)
    routed = [await _route(generation, alert, now, room, io=how.io) for alert in request.alerts]
    parties = _parties(request, routed)
    supposed = tuple(one.alert for one in routed if one.routes)
    state = State()
    if ground.database is not None:
        unit = partial(
            load, inhibition=generation.inhibition, supposed=supposed, groups=parties, adopted=ground.adopted
        )
        state = await ground.database.read(unit)
    hiding = Hiding(generation, ground.silences, state, supposed)
    groups: list[ExplainedGroup] = []
    for group, party in parties.items():
        party = replace(party, joined=state.groups.get(group))  # noqa: PLW2901 - the same one, filled in
        groups.append(await explain_group(hiding, request, party, now, how))
        await asyncio.sleep(0)  # others are waiting, and there may be many groups
    alerts = tuple(one.explained for one in routed)
    verdicts = [
        verdict for part in (*(one.hooks for one in alerts), *(one.hooks for one in groups)) for verdict in part
    ]
    return Explained(now, any(group.told for group in groups), alerts, tuple(groups), _notes(request, verdicts))


async def _route(generation: Generation, alert: Alert, now: datetime, room: Room, *, io: bool) -> _Routed:
    await asyncio.sleep(0)
    hooks: tuple[HookVerdict, ...] = ()
    passed = True
    if generation.before is not None:
        watched = await watch(generation.before, notification_of_alert(generation, alert, alert.status, now), io=io)
        hooks, passed = watched.hooks, isinstance(watched.judged.verdict, Pass)
        alert = replace(
            alert,
            labels={**alert.labels, **watched.seen.labels.get(alert.fingerprint, {})},
            annotations={**alert.annotations, **watched.seen.annotations.get(alert.fingerprint, {})},
        )
    visit = trace(generation.root, alert.labels) if passed else None
    routes = taken(visit) if visit is not None else ()
    explained = ExplainedAlert(
        fingerprint=alert.fingerprint,
        source=alert.source,
        status=alert.status.value,
        starts_at=alert.starts_at,
        labels=alert.labels,
        annotations=alert.annotations,
        hooks=hooks,
        tree=room.shown(visit, alert.labels) if visit is not None else None,
        routes=tuple(route.id for route in routes),
    )
    return _Routed(alert, explained, routes)


def _parties(request: Webhook, routed: list[_Routed]) -> dict[Group, Party]:
    found: dict[Group, Party] = {}
    for one in routed:
        for route in one.routes:
            grouping = group_labels(route, one.alert.labels, request.group_labels)
            group = (one.alert.source, route.id, group_hash(one.alert.org, grouping))
            party = found.get(group) or Party(route, one.alert.source, grouping, (), None)
            found[group] = replace(party, alerts=(*party.alerts, one.alert))
    return found


def _notes(request: Webhook, verdicts: list[HookVerdict]) -> tuple[str, ...]:
    notes = []
    if any(verdict.verdict == "not_run" for verdict in verdicts):
        notes.append(_WITHOUT_HOOKS)
    if any(alert.status is Status.RESOLVED for alert in request.alerts):
        notes.append(
            "an end is told to those who were told of the firing; where no incident is open, all of them are shown"
        )
    notes += [f"entry {left.index} of the file is left out: {left.problem}" for left in request.quarantined]
    return tuple(notes)
