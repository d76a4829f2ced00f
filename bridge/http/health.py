"""`/-/healthy`, `/-/ready`, `/-/reload` and `/metrics`, as Prometheus has them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from bridge.engine.views import Health
from bridge.http.access import Principal, Role
from bridge.http.gate import Gate
from bridge.http.operations import Operation
from bridge.http.problem import Problem
from bridge.observe.logs import get_logger
from bridge.observe.metrics import Metrics

_log = get_logger("health")
_encode = msgspec.json.Encoder().encode

Reload = Callable[[], Awaitable[Sequence[str]]]
"""Reads the configuration again; the problems it found, none if it is in force."""


class State(Protocol):
    """What the bridge knows about itself."""

    async def health(self) -> Health:
        """Whether alerts can be kept, and what else is wrong."""

    async def refresh(self, metrics: Metrics) -> None:
        """Set the gauges that are counted only when asked for."""


class HealthPages:
    """The handlers. `public` is the second listener, where nobody is asked who they are."""

    def __init__(self, state: State, metrics: Metrics, gate: Gate) -> None:
        self._state = state
        self._metrics = metrics
        self._gate = gate

    def operations(self, *, public: bool = False) -> tuple[Operation, ...]:
        viewer = None if public else Role.VIEWER
        ready = self._ready_in_full if public else self._ready
        return (
            Operation("GET", "/-/healthy", self._healthy, "Whether the process answers", media_type="text/plain"),
            Operation("GET", "/-/ready", ready, "Whether alerts can be kept", answer=Health),
            Operation("GET", "/metrics", self._exposition, "Prometheus metrics", viewer, media_type="text/plain"),
        )

    async def _healthy(self, _request: web.Request, _principal: Principal) -> web.Response:
        return web.Response(text="OK\n")

    async def _ready(self, request: web.Request, _principal: Principal) -> web.Response:
        """Probes carry no token, so everybody hears whether; what is wrong is for viewers."""
        health = await self._state.health()
        try:
            self._gate.access.require(request, Role.VIEWER)
        except Problem:
            return _answer(Health(health.ready, ()))
        return _answer(health)

    async def _ready_in_full(self, _request: web.Request, _principal: Principal) -> web.Response:
        return _answer(await self._state.health())

    async def _exposition(self, request: web.Request, _principal: Principal) -> web.Response:
        try:
            await self._state.refresh(self._metrics)
        except Exception:  # noqa: BLE001 - the counters are true without it
            _log.warning("gauges not refreshed", exc_info=True)
        body, content_type = self._metrics.exposition(request.headers.get("Accept", ""))
        return web.Response(body=body, headers={"Content-Type": content_type})


def reload_operation(reload: Reload) -> Operation:
    """`POST /-/reload`: 200 if everything read is in force, 500 with the problems otherwise, as Prometheus answers."""

    async def handler(_request: web.Request, _principal: Principal) -> web.Response:
        problems = await reload()
        if problems:
            raise Problem(500, "failed to reload config: " + "; ".join(problems), members={"problems": list(problems)})
        return web.Response()

    return Operation(
        "POST",
        "/-/reload",
        handler,
        "Read the configuration again",
        Role.ADMIN,
        media_type="text/plain",
        problems=(500,),
    )


def _answer(health: Health) -> web.Response:
    return web.Response(status=200 if health.ready else 503, body=_encode(health), content_type="application/json")
