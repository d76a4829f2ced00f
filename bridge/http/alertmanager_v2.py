"""Alertmanager's API v2 under `/api/v2`, for amtool, Prometheus, Grafana's Alertmanager data source and karma.

It answers in Alertmanager's own shapes, errors too; its description is Alertmanager's `openapi.yaml`, not our own
`/openapi.json`. Behaviour: 0.34.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from bridge.domain.errors import IngestError, StorageError
from bridge.engine.alertmanager_shapes import Receiver, Status
from bridge.http.access import Principal, Role
from bridge.http.alertmanager_v2_alerts import AlertsApi
from bridge.http.alertmanager_v2_answers import (
    document,
    mark,
    not_allowed,
    not_found,
    of_error,
    said,
)
from bridge.http.alertmanager_v2_asking import BadQuestion, receiver_matchers
from bridge.http.alertmanager_v2_silences import SilencesApi
from bridge.http.gate import Gate
from bridge.http.problem import Problem, unavailable
from bridge.ingest.swagger import SwaggerError
from bridge.observe.logs import get_logger
from bridge.routing.matchers import Matcher

_log = get_logger("api_v2")
GETS_AT_ONCE = 8
_GONE = ("alerts", "alerts/groups", "receivers", "silences", "silence/{silence}", "status")
_Handler = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]


class About(Protocol):
    """What the bridge tells of itself: `bridge.engine.alertmanager_status.AlertmanagerStatus`."""

    async def status(self) -> Status: ...
    def receivers(self, matchers: Sequence[Matcher]) -> list[Receiver]: ...


class _Endpoint(Struct, frozen=True):
    handler: _Handler
    role: Role


class AlertmanagerV2:
    """Routes by itself, because what it has to say of unknown paths and methods has Alertmanager's shapes, too."""

    def __init__(self, about: About, alerts: AlertsApi, silences: SilencesApi, gate: Gate) -> None:
        self._about = about
        self._gate = gate
        self._running = 0
        viewer, responder = Role.VIEWER, Role.RESPONDER
        self._endpoints: dict[str, dict[str, _Endpoint]] = {
            "status": {"GET": _Endpoint(self._status, viewer)},
            "receivers": {"GET": _Endpoint(self._receivers, viewer)},
            "alerts": {"GET": _Endpoint(alerts.list, viewer), "POST": _Endpoint(alerts.post, Role.INGEST)},
            "alerts/groups": {"GET": _Endpoint(alerts.groups, viewer)},
            "silences": {"GET": _Endpoint(silences.list, viewer), "POST": _Endpoint(silences.post, responder)},
            "silence/": {"GET": _Endpoint(silences.get, viewer), "DELETE": _Endpoint(silences.expire, responder)},
        }

    def serve(self, router: web.UrlDispatcher, prefix: str) -> None:
        router.add_route("*", f"{prefix}/api/v2/{{path:.*}}", self.handle)
        for path in _GONE:
            router.add_route("*", f"{prefix}/api/v1/{path}", self.gone)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        try:
            answer = await self._answer(request)
        except ConnectionError:
            raise
        except Exception:
            _log.exception("request failed", method=request.method, path=request.path)
            if request.writer.output_size > 0:
                raise
            answer = said(500, "an error inside the bridge; its log has the request_id")
        return answer if answer.prepared else mark(request, answer)

    async def gone(self, _request: web.Request) -> web.StreamResponse:
        """Alertmanager's API v1, which it has no more."""
        text = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed; use /api/v2"
        answer = document({"status": "deprecated", "error": text})
        answer.set_status(410)
        return answer

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        path = request.match_info["path"].strip("/")
        methods = self._endpoints.get("silence/" if _names_a_silence(path) else path)
        if methods is None:
            return not_found(request.path)
        endpoint = methods.get("GET" if request.method == "HEAD" else request.method)
        return (
            not_allowed(request.method, ",".join(methods)) if endpoint is None else await self._ask(request, endpoint)
        )

    async def _ask(self, request: web.Request, endpoint: _Endpoint) -> web.StreamResponse:
        try:
            principal = await self._gate.admit(request, endpoint.role, "API v2")
            if request.method in {"GET", "HEAD"}:
                return await self._one_of_few(request, endpoint, principal)
            return await endpoint.handler(request, principal)
        except BadQuestion as error:
            return said(400, str(error))
        except (Problem, SwaggerError, IngestError) as error:
            return of_error(error)
        except StorageError:
            if request.writer.output_size > 0:
                raise
            return of_error(unavailable("the database cannot answer now; try again"))

    async def _one_of_few(self, request: web.Request, endpoint: _Endpoint, principal: Principal) -> web.StreamResponse:
        if self._running >= GETS_AT_ONCE:
            text = f"Limit of concurrent GET requests reached ({GETS_AT_ONCE}), try again later.\n"
            return web.Response(status=503, text=text, headers={"Retry-After": "1"})
        self._running += 1
        try:
            return await endpoint.handler(request, principal)
        finally:
            self._running -= 1

    async def _status(self, _request: web.Request, _principal: Principal) -> web.Response:
        return document(await self._about.status())

    async def _receivers(self, request: web.Request, _principal: Principal) -> web.Response:
        return document(self._about.receivers(receiver_matchers(request)))


def _names_a_silence(path: str) -> bool:
    first, slash, rest = path.partition("/")
    return first == "silence" and bool(slash) and bool(rest) and "/" not in rest
