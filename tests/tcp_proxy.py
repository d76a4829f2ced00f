"""A TCP proxy on the event loop that does to a connection what networks do: silence, delay, reset, another target."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from socket import SO_LINGER, SOL_SOCKET

Watch = Callable[["Link", bool, bytes], bytes | None]
"""Called with the link, whether the bytes come from the client, and the bytes; gives what is to be passed on, None to
let them and everything after them vanish."""

_CHUNK = 65536


class Link:
    """One client's connection through the proxy. `number` counts from 1."""

    def __init__(self, number: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.number = number
        self.silent = False
        self.client = client
        self.server = server

    def reset(self) -> None:
        """Cut both sides with a RST."""
        for side in (self.client, self.server):
            _reset(side)

    def blackhole(self) -> None:
        """From now on nothing comes through, in neither direction, and nobody is told."""
        self.silent = True


class TcpProxy:
    """Forwards to `target`, which may be moved at any time; open connections stay where they are.

    `delay` is in seconds, for each chunk in each direction. `watch` sees every chunk. `pause` holds back what comes (it
    is passed on after `resume`); `blackhole` swallows it for good. New connections are accepted all the while: a paused
    or blackholed proxy answers nothing.
    """

    def __init__(self, host: str, port: int) -> None:
        self.target = (host, port)
        self.delay = 0.0
        self.refuse = False
        self.watch: Watch | None = None
        self.links: list[Link] = []
        self.port = 0
        self._count = 0
        self._silent = False
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    def retarget(self, host: str, port: int) -> None:
        self.target = (host, port)

    def pause(self) -> None:
        self._open.clear()

    def resume(self) -> None:
        self._silent = False
        self._open.set()

    def blackhole(self) -> None:
        """Open and new connections go silent. `resume` is for new ones."""
        self._silent = True
        for link in self.links:
            link.blackhole()

    def reset(self) -> None:
        """Cut every open connection with a RST."""
        for link in list(self.links):
            link.reset()

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            _reset(writer)
            return
        try:
            there, server = await asyncio.open_connection(*self.target)
        except OSError:
            _reset(writer)
            return
        self._count += 1
        link = Link(self._count, writer, server)
        link.silent = self._silent
        self.links.append(link)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._forward(link, reader, server, from_client=True))
                group.create_task(self._forward(link, there, writer, from_client=False))
        except* OSError:
            link.reset()
        finally:
            self.links.remove(link)
            for side in (writer, server):
                side.close()

    async def _forward(
        self, link: Link, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, from_client: bool
    ) -> None:
        try:
            while data := await reader.read(_CHUNK):
                await self._pass_on(link, data, writer, from_client=from_client)
        except OSError:
            if not link.silent:
                raise
        if link.silent:
            await asyncio.Event().wait()  # an end is news too, and a black hole tells none
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _pass_on(self, link: Link, data: bytes, writer: asyncio.StreamWriter, *, from_client: bool) -> None:
        passed: bytes | None = data
        if self.watch is not None and not link.silent:
            passed = self.watch(link, from_client, data)
        if self.delay:
            await asyncio.sleep(self.delay)
        await self._open.wait()
        if passed is None:
            link.blackhole()
        if passed is not None and not link.silent:
            writer.write(passed)
            await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    socket = writer.get_extra_info("socket")
    if socket is not None and not writer.is_closing():
        with contextlib.suppress(OSError):
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def proxy_to(host: str, port: int) -> AsyncIterator[TcpProxy]:
    """A running proxy, stopped at the end."""
    proxy = TcpProxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
