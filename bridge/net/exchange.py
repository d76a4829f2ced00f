"""One request and its answer, on aiohttp's connections and parser, without its session."""

from __future__ import annotations

import asyncio

from aiohttp import StreamReader
from aiohttp.client_exceptions import ClientError, ClientOSError, ServerDisconnectedError
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage

from bridge.domain.crashpoint import armed, crashpoint
from bridge.net.connector import Destination, Pool
from bridge.net.deadline import Deadline
from bridge.net.outcome import Response

BODY_LIMIT = 64 * 1024
_BODY_SECONDS = 5.0
_JOINED_BELOW = 64 * 1024
_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


class Exchange:
    """One request. `connected` says whether there was a connection: without one it surely never left."""

    __slots__ = ("_body", "_connection", "_head", "_limit", "_method", "connected")

    def __init__(self, method: str, head: bytes, body: bytes, limit: int = BODY_LIMIT) -> None:
        """`limit` is how many bytes of the answer's body are wanted; a larger one may take the request's whole time."""
        self._limit = limit
        self._method = method
        self._head = head
        self._body = body
        self._connection: Connection | None = None
        self.connected = False

    async def run(self, pool: Pool, destination: Destination, seconds: float, deadline: Deadline) -> Response:
        """The answer. The deadline, of so many `seconds`, is for its head; a body that is late is cut off.

        Raises:
            TimeoutError: the answer did not come in time.
            ClientError, OSError: no connection, or it broke.
            HttpProcessingError: the answer is no HTTP.
        """
        ends_at = asyncio.get_running_loop().time() + seconds
        try:
            with deadline:
                message, content = await self._answer(pool, destination, seconds)
            return await self._hear(message, content, ends_at)
        finally:
            if self._connection is not None:
                self._connection.close()  # where it has not been given back

    async def _answer(
        self, pool: Pool, destination: Destination, seconds: float
    ) -> tuple[RawResponseMessage, StreamReader]:
        connection, protocol = await pool.connect(destination, seconds)
        self._connection, self.connected = connection, True
        try:
            return await self._ask(protocol)
        except (ClientOSError, ServerDisconnectedError):
            if self._method not in _REPEATABLE:
                raise
        connection.close()  # the service may have closed this connection of the pool at the same moment
        self._connection, protocol = await pool.connect(destination, seconds)
        return await self._ask(protocol)

    async def _ask(self, protocol: ResponseHandler) -> tuple[RawResponseMessage, StreamReader]:
        """Send, and wait for the head of the final answer."""
        transport = protocol.transport
        if transport is None:
            raise ServerDisconnectedError
        protocol.set_response_params(
            skip_payload=self._method == "HEAD", read_until_eof=True, auto_decompress=False, read_bufsize=BODY_LIMIT
        )
        if len(self._body) < _JOINED_BELOW:
            transport.write(self._head + self._body)
        else:
            transport.writelines([self._head, self._body])
        if armed("send.after_bytes"):  # uvloop writes when its turn ends
            asyncio.get_running_loop().call_soon(crashpoint, "send.after_bytes")
        while True:
            message, content = await protocol.read()
            if not 100 <= message.code <= 199 or message.code == 101:
                return message, content

    async def _hear(self, message: RawResponseMessage, content: StreamReader, ends_at: float) -> Response:
        """The whole answer. Never raises for a body that fails: the status has come."""
        if content.is_eof():
            whole = content.read_nowait()
            body, complete = whole[: self._limit], len(whole) <= self._limit
        else:
            left = ends_at - asyncio.get_running_loop().time()
            body, complete = await _read(
                content, left if self._limit > BODY_LIMIT else min(left, _BODY_SECONDS), self._limit
            )
        connection = self._connection
        transport = None if connection is None else connection.transport
        # A service may answer before it has read our request to its end. An answer with more to come ends the
        # connection by itself.
        if connection is not None and transport is not None and not transport.get_write_buffer_size():
            connection.release()
        return Response(message.code, message.headers, body, complete)


async def _read(content: StreamReader, seconds: float, limit: int) -> tuple[bytes, bool]:
    """At most `limit` bytes, and whether they are all."""
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in content.iter_any():
                body += chunk
                if len(body) > limit:
                    return bytes(body[:limit]), False
    except (ClientError, OSError):
        return bytes(body), False
    return bytes(body), True
