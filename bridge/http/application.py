"""What each listener serves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import cache

from aiohttp import web

from bridge.domain.clock import Clock
from bridge.http.access import Principal, Role
from bridge.http.api_v1 import ApiV1, Operator
from bridge.http.asking import as_json
from bridge.http.body import BodyReader
from bridge.http.drills import DrillPages
from bridge.http.explain import Answers
from bridge.http.gate import Gate
from bridge.http.health import HealthPages, Reload, State, reload_operation
from bridge.http.heartbeats import HeartbeatPages
from bridge.http.openapi import document
from bridge.http.operations import Operation, serve
from bridge.http.schedules import Published, SchedulePages, TokenOf
from bridge.http.webhooks import Webhooks
from bridge.observe.metrics import Metrics


def main_application(
    *,
    webhooks: Webhooks,
    operator: Operator,
    explainer: Answers,
    schedules: Published,
    calendar_token: TokenOf,
    heartbeats: HeartbeatPages,
    drills: DrillPages,
    state: State,
    reload: Reload,
    gate: Gate,
    reader: BodyReader,
    metrics: Metrics,
    clock: Clock,
    version: str,
    url: str,
    prefix: str = "",
    outside: Iterable[Operation] = (),
) -> web.Application:
    """Everything. `url` is the external one; its path is the `prefix`, without a slash at the end. `outside` is what
    needs none of our roles, because it proves itself: links and callbacks.
    """
    api = ApiV1(operator, explainer, reader, gate, clock)
    health = HealthPages(state, metrics, gate)

    async def describe(_request: web.Request, _principal: Principal) -> web.Response:
        return as_json(await asyncio.to_thread(described))

    operations = (
        *webhooks.operations(),
        *outside,
        *api.operations(),
        *SchedulePages(schedules, calendar_token, gate, clock).operations(),
        *heartbeats.operations(),
        *drills.operations(),
        *health.operations(),
        reload_operation(reload),
        Operation("GET", "/openapi.json", describe, "This document", Role.VIEWER),
    )

    @cache
    def described() -> Mapping[str, object]:  # reading the shapes of every answer takes as long as opening the database
        return document(operations, version=version, url=url)

    app = web.Application()
    serve(app.router, prefix, operations, gate)
    app.router.add_route("*", f"{prefix}/webhook/", webhooks.refuse_slash)
    return app


def observe_application(*, state: State, metrics: Metrics, gate: Gate) -> web.Application:
    """The second listener: health and metrics alone, for everybody who reaches it."""
    app = web.Application()
    serve(app.router, "", HealthPages(state, metrics, gate).operations(public=True), gate)
    return app
