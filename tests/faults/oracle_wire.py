"""The oracle's two ends of HTTP, below any framework: what judges must cost less than what is judged, and share no code with it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Answer = tuple[int, str]
"""(status, how): `answer`, `hang` (never answer), `reset` (cut the connection off)."""


def _split(buffer: bytes) -> tuple[bytes, bytes, bytes] | None:
    """(head, body, rest) of the first whole message, None if there is none yet. Only `Content-Length` is understood."""
    head, gap, rest = buffer.partition(b"\r\n\r\n")
    if not gap:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _colon, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return None if len(rest) < length else (head, rest[:length], rest[length:])


class Receiving(asyncio.Protocol):
    """One connection to a receiver; `judge(path, body)` says how each request is answered."""

    def __init__(self, judge: Callable[[str, bytes], Answer]) -> None:
        self._judge = judge
        self._buffer = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (found := _split(self._buffer)) is not None:
            head, body, self._buffer = found
            status, how = self._judge(head.split(b" ", 2)[1].decode(), body)
            if how == "reset":
                self._transport.abort()
            elif how == "answer":
                self._transport.write(b"HTTP/1.1 %d x\r\nContent-Length: 0\r\n\r\n" % status)


class Sending(asyncio.Protocol):
    """One connection to a bridge, one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._waiting: asyncio.Future[int] | None = None
        self.open = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport, self.open = transport, True

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        found = _split(self._buffer)
        if found is not None and self._waiting is not None and not self._waiting.done():
            self._buffer = b""
            if b"connection: close" in found[0].lower():
                self.close()
            self._waiting.set_result(int(found[0][9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionError(str(exc)))

    async def post(self, path: str, body: bytes, within: float) -> int:
        """The status. Raises OSError or TimeoutError: whether it was accepted is unknown."""
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(
            b"POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
            % (path.encode(), len(body), body)
        )
        async with asyncio.timeout(within):
            return await self._waiting

    def close(self) -> None:
        if self.open:
            self.open = False
            self._transport.abort()
