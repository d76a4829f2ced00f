"""A real HTTP server on a port of its own that answers as scripted, misbehaves on request and remembers what it was told.

A vendor's simulator inherits `Simulator`, checks in `answer` what that vendor checks and gives in `told` what a
person would see. Scripted answers come first, one request each; then `answer` decides.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy

_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived. `path` is raw and holds the query."""

    method: str
    path: str
    headers: CIMultiDictProxy[str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """One message as its reader sees it: markup undone. `active` lists what the service would act on that the
    configuration did not ask for: mentions, links and markup that came out of an alert's text.
    """

    text: str
    active: tuple[str, ...] = ()


Act = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Simulator:
    """Use as `async with Simulator() as service:`. `url` has no trailing slash."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.written = 0
        self._script: deque[Act] = deque()
        self._always: Act | None = None
        self._stopping = asyncio.Event()
        self._arrival = asyncio.Event()
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * _MEBIBYTE)
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_exc: object) -> None:
        self._stopping.set()
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def next(self, status: int = 200, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> None:
        """The next request that has no script yet is answered so. Headers given here replace the server's own."""
        self._script.append(_plain(status, body, headers or {}))

    def always(self, status: int, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> None:
        """Every request without a script is answered so, until `behave`."""
        self._always = _plain(status, body, headers or {})

    def behave(self) -> None:
        """Forget every script: answer as the vendor does."""
        self._script.clear()
        self._always = None

    def hang(self) -> None:
        """The next request is read and never answered."""
        self._script.append(self._hang)

    def reset(self) -> None:
        """The next request is read; then the connection is reset."""
        self._script.append(_reset)

    def garbage(self) -> None:
        """The next answer is no HTTP."""
        self._script.append(_raw(b"\x00\xff\x13 this is no HTTP at all\r\n\r\n"))

    def truncated(self, status: int = 200, body: bytes = b'{"status": "succ') -> None:
        """The next answer promises more body than it sends before the connection closes."""
        head = f"HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
        self._script.append(_raw(head.encode() + body))

    def flood(self, status: int = 200, size: int = 1024 * _MEBIBYTE) -> None:
        """The next answer has a body of `size` bytes; `written` counts what could be sent."""
        self._script.append(lambda request: self._flood(request, status, size))

    def drip(self, status: int = 200) -> None:
        """The next answer's body comes a byte at a time and never ends."""
        self._script.append(lambda request: self._drip(request, status))

    async def arrived(self) -> None:
        """Waits for the first request."""
        await self._arrival.wait()

    def answer(self, request: Recorded) -> Answer:  # noqa: ARG002 - vendors look at it
        """What the vendor says to this request."""
        return Answer()

    def told(self) -> list[Told]:
        """What people were told, oldest first: only of requests the vendor accepted."""
        raise NotImplementedError

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        recorded = Recorded(request.method, request.raw_path, request.headers, await request.read())
        self.requests.append(recorded)
        self._arrival.set()
        if self._script:
            return await self._script.popleft()(request)
        if self._always is not None:
            return await self._always(request)
        answer = self.answer(recorded)
        return web.Response(status=answer.status, body=answer.body, headers=CIMultiDict(answer.headers))

    async def _hang(self, _request: web.Request) -> web.StreamResponse:
        await self._stopping.wait()
        return web.Response(status=503)

    async def _flood(self, request: web.Request, status: int, size: int) -> web.StreamResponse:
        response = web.StreamResponse(status=status, headers={"Content-Length": str(size)})
        await response.prepare(request)
        chunk = b"x" * 65536
        while self.written < size and not self._stopping.is_set():
            try:
                await response.write(chunk)
            except ConnectionError:
                break
            self.written += len(chunk)
        return response

    async def _drip(self, request: web.Request, status: int) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while not self._stopping.is_set():
            try:
                await response.write(b" ")
            except ConnectionError:
                break
            await asyncio.sleep(0.01)
        return response


def _plain(status: int, body: bytes | str, headers: Mapping[str, str]) -> Act:
    data = body.encode() if isinstance(body, str) else body

    async def act(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=data, headers=CIMultiDict(headers))

    return act


def _raw(data: bytes) -> Act:
    async def act(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(data)
        request.transport.close()
        return web.Response()

    return act


async def _reset(request: web.Request) -> web.StreamResponse:
    transport = request.transport
    assert transport is not None
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    return web.Response()
