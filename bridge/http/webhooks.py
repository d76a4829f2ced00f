"""`POST /webhook` and `/webhook/{source}`: authenticate, parse, keep, answer. The hot path of the bridge.

Alertmanager drops an alert on every 4xx and repeats it on 5xx, so 4xx is only for what can never be accepted and
"not now" is 503, never 429. Nothing is redirected: a redirected POST arrives as a GET without a body.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from aiohttp import web
from msgspec import Struct

from bridge.domain.alert import Webhook
from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import IngestError, IngestReason, StorageError
from bridge.engine.views import Accepted
from bridge.http.access import CHALLENGE, Principal, Role
from bridge.http.asking import as_json
from bridge.http.body import BodyReader, require_json
from bridge.http.gate import Gate
from bridge.http.operations import Operation
from bridge.http.problem import Problem, unavailable
from bridge.ingest.auth import Way, authenticate
from bridge.ingest.detect import Format
from bridge.ingest.webhook import parse
from bridge.net.deadline import Deadline
from bridge.observe.logs import get_logger
from bridge.observe.metrics import Metrics

_log = get_logger("webhooks")
_STATUS = {
    IngestReason.UNAUTHENTICATED: 401,
    IngestReason.UNKNOWN_SOURCE: 404,
    IngestReason.MALFORMED: 400,
    IngestReason.WRONG_FORMAT: 400,
    IngestReason.TOO_LARGE: 413,
    IngestReason.UNSUPPORTED_MEDIA: 415,
    IngestReason.TOO_SLOW: 408,
    IngestReason.UNAVAILABLE: 503,
}
_REASON = {status: reason for reason, status in _STATUS.items() if reason is not IngestReason.WRONG_FORMAT} | {
    403: IngestReason.UNAUTHENTICATED
}


class Source(Struct, frozen=True):
    """A configured sender. Without `ways` to prove itself it is open to whoever has the role `ingest`.

    `closed` says why nobody can be let in now (its secret cannot be opened): its senders are told to try again.
    """

    name: str
    format: Format = "auto"
    ways: tuple[Way, ...] = ()
    closed: str = ""


class Intake(Protocol):
    """Keeps requests: `bridge.engine.intake.Intake`."""

    async def accept(self, webhook: Webhook, body: bytes, digest: str, now: datetime) -> Accepted:
        """Commit. Raises StorageError for "not now"."""

    async def refuse(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str = "") -> None:
        """Note a refused request. Cheap: there may be thousands."""


class Webhooks:
    """Takes requests of one generation of sources; `apply` swaps in the next. `prefix` is the route prefix."""

    def __init__(
        self,
        *,
        intake: Intake,
        sources: Mapping[str, Source],
        gate: Gate,
        reader: BodyReader,
        metrics: Metrics,
        clock: Clock,
        prefix: str = "",
        client_certificates: bool = False,
    ) -> None:
        self._intake = intake
        self._reader = reader
        self._deadline = Deadline(reader.limits.accept_seconds)
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._prefix = prefix
        self._client_certificates = client_certificates
        self.direct: dict[str, Source] = {}
        """The sources by the exact request target, which spares the router."""
        self.incomplete = False
        """Whether a file was refused that may define more sources: then an unknown one is told to try again."""
        self.apply(sources)

    def apply(self, sources: Mapping[str, Source]) -> None:
        """Use these sources from the next request on."""
        self._sources = dict(sources)
        self._decoy = next((source.ways for source in sources.values() if source.ways), ())
        self.direct.clear()
        for name, source in self._sources.items():
            self.direct[f"{self._prefix}/webhook/{quote(name, safe='')}"] = source
        if "default" in self._sources:
            self.direct[f"{self._prefix}/webhook"] = self._sources["default"]

    @property
    def closed(self) -> dict[str, str]:
        """The sources that nobody can prove to be, with the reason."""
        return {name: source.closed for name, source in self._sources.items() if source.closed}

    def operations(self) -> tuple[Operation, ...]:
        """What is served here, for the router; most requests go through `direct` instead."""
        return tuple(
            Operation(
                method, path, self._by_path, summary, answer=Accepted, problems=(400, 401, 403, 404, 408, 413, 415, 503)
            )
            for path, summary in (
                ("/webhook", "Alerts of the source `default`"),
                ("/webhook/{source}", "Alerts of a source, as Alertmanager or Grafana send them"),
            )
            for method in ("POST", "PUT")
        )

    async def _by_path(self, request: web.Request, _principal: Principal) -> web.Response:
        return as_json(await self.receive(request, self._sources.get(request.match_info.get("source", "default"))))

    async def refuse_slash(self, _request: web.Request) -> web.Response:
        """`/webhook/`: said in so many words, because a redirect would lose the alert."""
        raise Problem(
            404, "there is nothing at /webhook/ itself; write /webhook or /webhook/SOURCE, without the slash at the end"
        )

    async def receive(self, request: web.BaseRequest, source: Source | None) -> Accepted:
        """Keep one request; returns after it is committed.

        Raises:
            Problem: refused (4xx), or not now (503).
        """
        name = "" if source is None else source.name
        try:
            return await self._accept(request, source)
        except Problem as problem:
            await self._note(name, _REASON.get(problem.status, IngestReason.MALFORMED), problem.detail)
            raise
        except IngestError as error:
            await self._note(name, error.reason, str(error))
            raise _problem(error) from error
        except (StorageError, TimeoutError) as error:
            self._metrics.webhook(name, IngestReason.UNAVAILABLE.value)
            _log.warning("not accepted", source=name, error=type(error).__name__)
            raise unavailable("the alert could not be stored now; send it again") from error
        except Exception as error:
            if isinstance(error, ConnectionError):
                raise
            self._metrics.webhook(name, IngestReason.UNAVAILABLE.value)
            _log.exception("accepting failed", source=name)
            raise unavailable("an error inside the bridge; send it again") from error

    async def _accept(self, request: web.BaseRequest, source: Source | None) -> Accepted:
        if source is None and self.incomplete:
            raise IngestError(IngestReason.UNAVAILABLE, "a refused file of the configuration may define this source")
        if source is not None and source.closed:
            raise IngestError(IngestReason.UNAVAILABLE, "this source cannot prove anybody now; see `/-/ready`")
        if source is None and not self._decoy:
            raise IngestError(IngestReason.UNKNOWN_SOURCE, "no such source; see `sources:` in the configuration")
        require_json(request)
        body = await self._reader.read(request)
        crashpoint("ingest.after_read")
        now = self._clock.now()
        source = await self._authenticated(request, source, body, now)
        webhook = parse(source.format, body, source.name, now)
        with self._deadline:
            accepted = await self._intake.accept(webhook, body, hashlib.sha256(body).hexdigest(), now)
        self._metrics.webhook(source.name, "accepted")
        return accepted

    async def _authenticated(
        self, request: web.BaseRequest, source: Source | None, body: bytes, now: datetime
    ) -> Source:
        """The source, if the request is its; nothing tells an unknown source from a wrong proof."""
        ways = self._decoy if source is None else source.ways
        if ways:
            try:
                authenticate(ways, request.headers.items(), body, now)
            except IngestError:
                source = None
        uncertified = self._client_certificates and not has_certificate(request)
        if source is None or uncertified:
            detail = "the request is not authenticated" if source is None else "a client certificate is needed"
            problem = Problem(401, detail, headers=CHALLENGE)
            await self._gate.delay(request, problem)
            raise problem
        if not ways:
            await self._gate.check(request, Role.INGEST)
        return source

    async def _note(self, source: str, reason: IngestReason, detail: str) -> None:
        self._metrics.webhook(source, reason.value)
        if reason is not IngestReason.UNAVAILABLE:
            await self._intake.refuse(source, reason, detail, self._clock.now())


def _problem(error: IngestError) -> Problem:
    status = _STATUS[error.reason]
    return unavailable(str(error)) if status == 503 else Problem(status, str(error))


def has_certificate(request: web.BaseRequest) -> bool:
    transport = request.transport
    return transport is not None and bool(transport.get_extra_info("peercert"))
