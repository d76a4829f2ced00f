"""Connections under watch: how many there are, how long they may be idle, read slowly or leave an answer unread.

aiohttp closes a connection that shows no complete request header within its keep-alive time, and nothing else; the
rest is here. `web.Server` and `web.RequestHandler` are aiohttp's low-level server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator
from typing import cast

from aiohttp import web

from bridge.domain.crashpoint import armed, crashpoint
from bridge.http.limits import Limits
from bridge.http.problem import Problem
from bridge.http.ready import Ready
from bridge.http.request_id import next_request_id
from bridge.observe.logs import REQUEST_ID, get_logger

_log = get_logger("http")
_PIPELINED = 16
_NO_ROOM = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

Answer = web.StreamResponse | Ready
Handler = Callable[[web.Request], Awaitable[Answer]]


class Connection(web.RequestHandler):
    """One client. Knows since when an answer is being written."""

    __slots__ = ("closing_since", "reading_paused", "server", "writing_since")

    def __init__(self, server: WatchedServer, limits: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=limits.header_seconds,
            lingering_time=limits.linger_seconds,
            max_line_size=limits.max_line,
            max_field_size=limits.max_field,
            max_headers=limits.max_headers,
            timeout_ceil_threshold=3600,  # short deadlines are not rounded up to whole seconds
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type]  # documented as the way to have none
        )
        # aiohttp's parser holds back at 32 requests in hand, one fewer after a body that came in pieces, and the
        # connection stops reading at 32: so it might never, and keep all that comes. Stopping earlier is safe.
        self._max_msg_queue_size, self._msg_queue_resume_size = _PIPELINED, _PIPELINED // 2
        self.server = server
        self.writing_since: float | None = None
        self.closing_since: float | None = None
        self.reading_paused = False

    async def finish_response(
        self, request: web.BaseRequest, resp: Answer, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self.writing_since = self._loop.time()
        try:
            if isinstance(resp, Ready):
                broken = await self._write(request, resp)
                return cast("web.StreamResponse", resp), broken  # aiohttp asks it for no more than its keep_alive
            return await super().finish_response(request, resp, start_time)
        finally:
            self.writing_since = None
            self.server.idle(self)
            if request.method == "POST" and armed("ingest.after_2xx"):  # uvloop writes when its turn ends
                self._loop.call_soon(crashpoint, "ingest.after_2xx")

    async def _write(self, request: web.BaseRequest, answer: Ready) -> bool:
        """Whether nobody is there to read it."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return True
        transport.write(answer.data)
        if self.writing_paused:
            try:
                await request.writer.drain()
            except ConnectionError:
                return True
        return False

    def pause_reading(self) -> None:
        self.reading_paused = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """After every body that is read aiohttp resumes, which costs a turn of the parser; here only what was paused."""
        if self.reading_paused:
            self.reading_paused = False
            super().resume_reading(resume_parser)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's message quotes the client
    ) -> web.StreamResponse:
        """The answer to a request that is no HTTP, or to an error outside of every handler. Closes the connection."""
        if request.writer.output_size > 0 or isinstance(exc, ConnectionError):
            raise ConnectionError("nobody is left to answer")  # aiohttp ends the connection quietly
        REQUEST_ID.set(next_request_id())
        if status >= 500:
            _log.error("request failed", exc_info=exc)
            return Problem(status, "an error inside the bridge; its log has the request_id", close=True).response()
        _log.debug("bad request", error=type(exc).__name__)
        return Problem(
            status, "the request is not well-formed HTTP/1.1, or its header is too large", close=True
        ).response()


class WatchedServer(web.Server):
    """Makes connections, caps their number and closes those that overstay.

    Over the cap the connection idle for longest makes room; if none is idle, the one that has been sending a body for
    longest, if it is slow; else the new one is told to come back later.
    """

    def __init__(self, handler: Handler, request_factory: Callable[..., web.BaseRequest], limits: Limits) -> None:
        super().__init__(handler, request_factory=request_factory)  # type: ignore[arg-type]  # it gets what the factory makes
        self._limits = limits
        self._open: dict[Connection, asyncio.Transport] = {}
        self._idle: dict[Connection, None] = {}
        self._reading: dict[Connection, float] = {}
        self._sweeper: asyncio.Task[None] | None = None

    def __call__(self) -> web.RequestHandler:
        return Connection(self, self._limits)

    @property
    def open_connections(self) -> int:
        return len(self._open)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if not isinstance(handler, Connection):
            raise TypeError("a connection that this server did not make")
        if len(self._open) >= self._limits.connections and not self._close_oldest():
            asyncio.get_running_loop().call_soon(_turn_away, transport)  # aiohttp's own start comes first
        self._open[handler] = transport
        self._idle[handler] = None

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        if isinstance(handler, Connection):
            self._open.pop(handler, None)
            self._idle.pop(handler, None)
            self._reading.pop(handler, None)
        super().connection_lost(handler, exc)

    def busy(self, connection: Connection) -> None:
        """A request has begun."""
        self._idle.pop(connection, None)

    def idle(self, connection: Connection) -> None:
        """A request has been answered."""
        if connection in self._open:
            self._idle[connection] = None

    @contextlib.contextmanager
    def reading(self, connection: Connection) -> Iterator[None]:
        """The connection's request has a body that did not come at once."""
        self._reading[connection] = asyncio.get_running_loop().time()
        try:
            yield
        finally:
            self._reading.pop(connection, None)

    def _close_oldest(self) -> bool:
        connection = next(iter(self._idle), None)
        if connection is None:
            slow = asyncio.get_running_loop().time() - self._limits.slow_seconds
            connection = next((one for one, since in self._reading.items() if since <= slow), None)
        if connection is None:
            return False
        self._idle.pop(connection, None)
        self._reading.pop(connection, None)
        self._open.pop(connection).abort()
        return True

    def start_sweeping(self) -> None:
        """Begin to close connections whose client does not read."""
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep_forever())

    async def stop_sweeping(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper

    async def _sweep_forever(self) -> None:
        while True:
            await asyncio.sleep(self._limits.sweep_seconds)
            self.sweep(asyncio.get_running_loop().time())

    def sweep(self, now: float) -> None:
        """Abort every connection whose answer has been waiting to be read since before `now - write_seconds`."""
        latest = now - self._limits.write_seconds
        for connection, transport in list(self._open.items()):
            if transport.is_closing() and connection.closing_since is None:
                connection.closing_since = now
            waiting = (connection.writing_since, connection.closing_since)
            if any(since is not None and since <= latest for since in waiting):
                transport.abort()


def _turn_away(transport: asyncio.Transport) -> None:
    """Answer a connection for which there is no room."""
    transport.write(_NO_ROOM)
    transport.close()
