"""`POST /callbacks/{channel}`: what services say in people's names, proven by their signatures.

Services come from the internet and bring none of our tokens, so no role is asked for, whatever `access:` says. They
wait for three seconds; some say it again after an error, and then it is not done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from urllib.parse import quote

from aiohttp import web

from bridge.channels.callbacks import Ask, Callback, CallbackRequest, Done, Forged, Heard, Unreadable
from bridge.domain.clock import Clock
from bridge.domain.errors import IngestReason, StorageError
from bridge.http.access import Principal
from bridge.http.body import BodyReader, refuse_encoded
from bridge.http.gate import Gate
from bridge.http.operations import Operation
from bridge.http.problem import Problem, unavailable
from bridge.net import HttpClient
from bridge.net.deadline import Deadline
from bridge.observe.logs import get_logger
from bridge.observe.metrics import Metrics

_WITHIN = 2.5
_REPLY_WITHIN = 10.0
_REPLIES = 100
_MOST_ASKS = 20
_log = get_logger("callbacks")


class Asks(Protocol):
    """What the engine offers: `bridge.engine.asks.Asks`."""

    def callback(self, channel: str) -> Callback | None: ...
    async def carry_out(self, channel: str, callback: Callback, ask: Ask, now: datetime) -> Done: ...

    @property
    def http(self) -> HttpClient: ...


class Doubts(Protocol):
    """What the engine offers: `bridge.engine.intake.Intake`."""

    async def refuse(self, source: str, reason: IngestReason, detail: str, now: datetime, digest: str = "") -> None: ...


class Callbacks:
    """The handler. `url` is the external one. `stop` ends the replies that are under way."""

    def __init__(
        self,
        asks: Asks,
        doubts: Doubts,
        reader: BodyReader,
        gate: Gate,
        metrics: Metrics,
        clock: Clock,
        url: str,
        within: float = _WITHIN,
    ) -> None:
        """`within` is how many seconds all that was asked may take; then it is 503, and the service says it again."""
        self._asks = asks
        self._doubts = doubts
        self._reader = reader
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._url = url
        self._deadline = Deadline(within)
        self._replies: set[asyncio.Task[None]] = set()

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST", "/callbacks/{channel}", self._receive, "What a channel's service says in people's names",
                media_type="text/plain", problems=(400, 401, 408, 413, 415, 503),
            ),
        )  # fmt: skip

    async def stop(self) -> None:
        for task in self._replies:
            task.cancel()
        await asyncio.gather(*self._replies, return_exceptions=True)

    async def _receive(self, request: web.Request, _principal: Principal) -> web.Response:
        channel = request.match_info["channel"]
        refuse_encoded(request)
        body = await self._reader.read(request)
        callback = self._asks.callback(channel)
        if callback is None:
            self._metrics.callback("", "forged")
            await self._doubts.refuse(
                "", IngestReason.FORGED, "callback of a channel that takes none", self._clock.now()
            )
            raise await self._refusal(request)
        now = self._clock.now()
        heard = await self._hear(
            request, channel, callback, CallbackRequest(self._called(request), body, _headers(request), now)
        )
        done = await self._carried_out(channel, callback, heard, now)
        self._count(channel, done)
        answer = callback.answer(heard, done)
        self._reply_later(channel, callback, heard, done)
        return web.Response(body=answer.body, content_type=answer.content_type, charset="utf-8")

    async def _hear(self, request: web.Request, channel: str, callback: Callback, said: CallbackRequest) -> Heard:
        try:
            return callback.hear(said)
        except Forged as error:
            self._metrics.callback(channel, "forged")
            await self._doubts.refuse("", IngestReason.FORGED, f"callback of {channel}", said.now)
            _log.warning("callback not proven", channel=channel)
            raise await self._refusal(request) from error
        except Unreadable as error:
            self._metrics.callback(channel, "unreadable")
            _log.warning("callback not understood", channel=channel, error=str(error))
            raise Problem(400, "this is not what the service is known to send") from error

    async def _carried_out(self, channel: str, callback: Callback, heard: Heard, now: datetime) -> list[Done]:
        try:
            with self._deadline:
                return [await self._asks.carry_out(channel, callback, ask, now) for ask in heard.asks[:_MOST_ASKS]]
        except (StorageError, TimeoutError) as error:
            self._metrics.callback(channel, "unavailable")
            _log.warning("callback not done in time", channel=channel, error=type(error).__name__)
            raise unavailable("it could not be done now; try again") from error

    async def _refusal(self, request: web.Request) -> Problem:
        """One answer for a channel that does not listen and a proof that fails: names are not told."""
        problem = Problem(401, "no channel of this name takes callbacks, or the request does not prove who sent it")
        await self._gate.delay(request, problem)
        return problem

    def _called(self, request: web.Request) -> str:
        """The address as the service knows it, whatever a proxy made of it."""
        query = f"?{request.rel_url.raw_query_string}" if request.rel_url.raw_query_string else ""
        return f"{self._url}/callbacks/{quote(request.match_info['channel'], safe='')}{query}"

    def _count(self, channel: str, done: Sequence[Done]) -> None:
        if not done:
            self._metrics.callback(channel, "ignored")
        for each in done:
            self._metrics.callback(channel, "done" if each.changed else "unchanged")

    def _reply_later(self, channel: str, callback: Callback, heard: Heard, done: Sequence[Done]) -> None:
        if not done or len(self._replies) >= _REPLIES:
            return
        task = asyncio.create_task(self._reply(channel, callback, heard, done))
        self._replies.add(task)
        task.add_done_callback(self._replies.discard)

    async def _reply(self, channel: str, callback: Callback, heard: Heard, done: Sequence[Done]) -> None:
        try:
            async with asyncio.timeout(_REPLY_WITHIN):
                await callback.reply(heard, done, self._asks.http)
        except Exception as error:  # noqa: BLE001 - what was asked is done; a plugin may raise anything
            _log.warning("callback not replied to", channel=channel, error=type(error).__name__)


def _headers(request: web.Request) -> tuple[tuple[str, str], ...]:
    return tuple(request.headers.items())
