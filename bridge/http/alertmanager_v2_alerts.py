"""`/api/v2/alerts` and `/api/v2/alerts/groups`."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Protocol

from aiohttp import web

from bridge.domain.alert import API
from bridge.domain.clock import Clock
from bridge.domain.errors import IngestError, IngestReason, StorageError
from bridge.engine.alertmanager_filters import AlertFilter
from bridge.engine.alertmanager_shapes import GettableAlert
from bridge.engine.alertmanager_views import GroupPart
from bridge.http.access import CHALLENGE, Principal
from bridge.http.alertmanager_v2_answers import done, encode, refused, said, stream
from bridge.http.alertmanager_v2_asking import alert_filter, body_of
from bridge.http.body import BodyReader
from bridge.http.problem import Problem, unavailable
from bridge.http.webhooks import Intake, has_certificate
from bridge.ingest.api_v2 import Posted, parse_alerts
from bridge.ingest.swagger import SwaggerError
from bridge.net.deadline import Deadline
from bridge.observe.logs import get_logger
from bridge.observe.metrics import Metrics

_log = get_logger("api_v2")
_REASONS = {413: IngestReason.TOO_LARGE, 415: IngestReason.UNSUPPORTED_MEDIA, 408: IngestReason.TOO_SLOW}


class Views(Protocol):
    """What fires: `bridge.engine.alertmanager_views.AlertmanagerViews`."""

    def alerts(self, wanted: AlertFilter, now: datetime) -> AsyncGenerator[tuple[GettableAlert, ...]]: ...
    def groups(self, wanted: AlertFilter, now: datetime) -> AsyncGenerator[GroupPart]: ...


class AlertsApi:
    """The handlers. `resolve_timeout` is that of the configuration in force."""

    def __init__(
        self,
        *,
        views: Views,
        intake: Intake,
        reader: BodyReader,
        metrics: Metrics,
        clock: Clock,
        resolve_timeout: Callable[[], timedelta],
        client_certificates: bool,
    ) -> None:
        self._views = views
        self._intake = intake
        self._reader = reader
        self._metrics = metrics
        self._clock = clock
        self._resolve_timeout = resolve_timeout
        self._client_certificates = client_certificates
        self._deadline = Deadline(reader.limits.accept_seconds)

    async def list(self, request: web.Request, _principal: Principal) -> web.StreamResponse:
        return await stream(request, _alerts(self._views.alerts(alert_filter(request), self._clock.now())))

    async def groups(self, request: web.Request, _principal: Principal) -> web.StreamResponse:
        return await stream(request, _groups(self._views.groups(alert_filter(request), self._clock.now())))

    async def post(self, request: web.Request, _principal: Principal) -> web.Response:
        """Alerts are kept before they are answered for; the valid ones also where others are not.

        Raises:
            Problem, SwaggerError, IngestError: nothing of it is kept.
        """
        try:
            return await self._post(request)
        except (StorageError, TimeoutError) as error:
            self._metrics.webhook(API, IngestReason.UNAVAILABLE.value)
            _log.warning("not accepted", source=API, error=type(error).__name__)
            raise unavailable("the alerts could not be stored now; send them again") from error
        except Problem as problem:
            await self._refuse(_REASONS.get(problem.status, IngestReason.MALFORMED), problem.detail)
            raise
        except SwaggerError as error:
            await self._refuse(IngestReason.MALFORMED, "" if error.private else str(error))
            raise
        except IngestError as error:
            await self._refuse(error.reason, str(error))
            raise

    async def _post(self, request: web.Request) -> web.Response:
        if self._client_certificates and not has_certificate(request):
            raise Problem(401, "a client certificate is needed", headers=CHALLENGE)
        body = await body_of(request, self._reader)
        now = self._clock.now()
        posted = parse_alerts(body, now, self._resolve_timeout())
        if posted.webhook.alerts:
            with self._deadline:
                await self._intake.accept(posted.webhook, body, hashlib.sha256(body).hexdigest(), now)
        elif posted.webhook.quarantined:
            await self._intake.refuse(API, IngestReason.MALFORMED, posted.webhook.quarantined[0].problem, now)
        outcome = "accepted" if not posted.webhook.quarantined else IngestReason.MALFORMED.value
        self._metrics.webhook(API, outcome)
        return _answer(posted)

    async def _refuse(self, reason: IngestReason, detail: str) -> None:
        self._metrics.webhook(API, reason.value)
        if reason is not IngestReason.UNAVAILABLE:
            await self._intake.refuse(API, reason, detail, self._clock.now())


def _answer(posted: Posted) -> web.Response:
    if posted.unreadable:
        return refused(400, 400, f'parsing alerts body from "" failed, because {posted.unreadable}')
    if posted.problems:
        return said(400, "\n".join(posted.problems))
    return done()


async def _alerts(pages: AsyncGenerator[tuple[GettableAlert, ...]]) -> AsyncGenerator[bytes]:
    mark = b"["
    async with aclosing(pages):
        async for page in pages:
            yield mark + _joined(page)
            mark = b","
    yield b"[]\n" if mark == b"[" else b"]\n"


async def _groups(parts: AsyncGenerator[GroupPart]) -> AsyncGenerator[bytes]:
    """A group's alerts come first, so that its parts can follow one another."""
    last = None
    async with aclosing(parts):
        async for part in parts:
            if last is not None and last.group.id == part.group.id:
                yield b"," + _joined(part.alerts)
                continue
            yield (b"[" if last is None else _end(last) + b",") + b'{"alerts":[' + _joined(part.alerts)
            last = part
    yield b"[]\n" if last is None else _end(last) + b"]\n"


def _end(part: GroupPart) -> bytes:
    labels, receiver = encode(part.group.labels), encode({"name": part.group.receiver})
    return b'],"labels":%b,"receiver":%b,"routeLabels":{}}' % (labels, receiver)


def _joined(alerts: Iterable[GettableAlert]) -> bytes:
    return b",".join(map(encode, alerts))
