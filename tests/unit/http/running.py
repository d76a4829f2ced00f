"""A listener on a free port with an intake that records, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime

from aiohttp import web
from msgspec import Struct

from bridge.domain.alert import Webhook
from bridge.domain.errors import IngestReason
from bridge.engine.views import Accepted, Health
from bridge.http.access import Access
from bridge.http.api_v1 import Operator
from bridge.http.application import main_application
from bridge.http.body import BodyReader
from bridge.http.drills import DrillPages
from bridge.http.gate import Gate
from bridge.http.health import Reload
from bridge.http.heartbeats import HeartbeatPages
from bridge.http.limits import Limits
from bridge.http.pace import FailurePace
from bridge.http.server import Listener
from bridge.http.tls import ServerTls
from bridge.http.webhooks import Source, Webhooks
from bridge.ingest.auth import Bearer, digest_of
from bridge.observe.metrics import Metrics

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LOCAL = Access(everyone=True)
BODY = (
    b'{"version":"4","receiver":"team","status":"firing","groupLabels":{},"alerts":[{"status":"firing","labels":'
    b'{"alertname":"DiskFull"},"annotations":{},"startsAt":"2026-03-01T11:59:00Z","endsAt":"0001-01-01T00:00:00Z"}]}'
)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


class RecordingIntake:
    """Keeps what it is given. `answer` may be replaced by something that raises or waits."""

    def __init__(self) -> None:
        self.kept: list[tuple[Webhook, bytes, str]] = []
        self.refused: list[tuple[str, IngestReason, str]] = []
        self.before: Callable[[], object] | None = None
        self.wait: asyncio.Event | None = None

    async def accept(self, webhook: Webhook, body: bytes, digest: str, now: datetime) -> Accepted:
        assert now == NOW
        if self.before is not None:
            self.before()
        if self.wait is not None:
            await self.wait.wait()
        self.kept.append((webhook, body, digest))
        return Accepted(f"r{len(self.kept)}", len(webhook.alerts), 0, len(webhook.quarantined))

    async def refuse(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str = "") -> None:
        assert now == NOW
        assert not digest
        self.refused.append((source, reason, detail))


def bearer(token: str) -> tuple[Bearer, ...]:
    """The ways of a source with one token."""
    return (Bearer((digest_of(token),)),)


class NoOperator:
    """For tests that ask nothing of the engine."""

    def __getattr__(self, name: str) -> object:
        return None


class Fine:
    """A bridge in good health."""

    def __init__(self) -> None:
        self.state = Health(ready=True, troubles=())

    async def health(self) -> Health:
        return self.state

    async def refresh(self, metrics: Metrics) -> None:
        metrics.set_incidents({"open": 3})


class Running(Struct):
    """A listener and what it was made of."""

    listener: Listener
    webhooks: Webhooks
    intake: RecordingIntake
    metrics: Metrics
    gate: Gate
    state: Fine

    @property
    def port(self) -> int:
        return self.listener.port

    def count(self, source: str, outcome: str) -> float:
        labels = {"source": source, "outcome": outcome}
        return self.metrics.registry.get_sample_value("alertbridge_webhooks_received_total", labels) or 0


async def good_reload() -> Sequence[str]:
    return ()


@contextlib.asynccontextmanager
async def running(
    *,
    limits: Limits = Limits(failure_delay=0.0),  # noqa: B008 - frozen
    sources: Mapping[str, Source] | None = None,
    access: Access = LOCAL,
    prefix: str = "",
    tls: ServerTls | None = None,
    client_certificates: bool = False,
    operator: Operator | None = None,
    reload: Reload = good_reload,
    routes: Callable[[web.Application], None] = lambda _app: None,
) -> AsyncIterator[Running]:
    """An open source `default` unless `sources` says otherwise."""
    intake = RecordingIntake()
    metrics = Metrics("0.0.test")
    gate = Gate(access, FailurePace(limits, asyncio.get_running_loop().time), intake, metrics, StoppedClock())
    reader = BodyReader(limits)
    state = Fine()
    webhooks = Webhooks(
        intake=intake,
        sources={"default": Source("default")} if sources is None else sources,
        gate=gate,
        reader=reader,
        metrics=metrics,
        clock=StoppedClock(),
        prefix=prefix,
        client_certificates=client_certificates,
    )
    app = main_application(
        webhooks=webhooks,
        operator=NoOperator() if operator is None else operator,
        explainer=NoOperator(),  # type: ignore[arg-type]
        schedules=NoOperator(),  # type: ignore[arg-type]
        calendar_token=lambda name: name,
        heartbeats=HeartbeatPages(NoOperator(), {}, gate, StoppedClock()),  # type: ignore[arg-type]
        drills=DrillPages(NoOperator(), StoppedClock()),  # type: ignore[arg-type]
        state=state,
        reload=reload,
        gate=gate,
        reader=reader,
        metrics=metrics,
        clock=StoppedClock(),
        version="0.0.test",
        url=f"http://localhost:9099{prefix}",
        prefix=prefix,
    )
    routes(app)
    listener = Listener(app, limits=limits, webhooks=webhooks, tls=tls, drain_seconds=0.2)
    await listener.start("127.0.0.1", 0)
    try:
        yield Running(listener, webhooks, intake, metrics, gate, state)
    finally:
        await listener.stop()


class Answer(Struct):
    """An answer as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


class Wire:
    """One connection, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        with contextlib.suppress(ConnectionError):
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer, read by its Content-Length."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(head[0].split()[1]), headers, body)

    async def closed(self) -> bool:
        """Whether the server closes the connection; waits for it."""
        try:
            return await self._reader.read(1) == b""
        except ConnectionError:
            return True


@contextlib.asynccontextmanager
async def wire(port: int) -> AsyncIterator[Wire]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(60):
            yield Wire(reader, writer)
    finally:
        writer.transport.abort()


def post(
    path: str = "/webhook", body: bytes = BODY, *headers: str, method: str = "POST", length: int | None = None
) -> bytes:
    """A request as Alertmanager writes it; further header lines go last, a Content-Type among them replaces ours."""
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost:9099", "User-Agent: Alertmanager/0.27.0"]
    if not any(header.lower().startswith("transfer-encoding") for header in headers):
        lines.append(f"Content-Length: {len(body) if length is None else length}")
    if not any(header.lower().startswith("content-type") for header in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, *headers, "", ""]).encode("latin-1") + body


async def exchange(port: int, request: bytes) -> Answer:
    """One request on a connection of its own."""
    async with wire(port) as connection:
        await connection.send(request)
        return await connection.answer()
