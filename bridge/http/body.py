"""Reading a request's body within budgets of size, time, chunks and memory."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import StreamReader, web

from bridge.http.connections import Connection
from bridge.http.limits import Limits
from bridge.http.problem import Problem, unavailable

_JSON = "application/json"
_SMALL = 64 * 1024
_WEIGHT = 6
"""What a large request needs in all until it is committed, in sizes of its body (measured: 4 to 7)."""


def require_json(request: web.BaseRequest) -> None:
    """Refuse everything but unencoded JSON in UTF-8.

    Raises:
        Problem: 415.
    """
    headers = request.headers
    if headers.get("Content-Type") != _JSON:
        _require_json_type(request)
    refuse_encoded(request)


def refuse_encoded(request: web.BaseRequest) -> None:
    """Refuse a body that is not what it seems: what is signed and counted are the bytes that came.

    Raises:
        Problem: 415.
    """
    if "Content-Encoding" in request.headers:
        raise Problem(415, "an encoded body is not accepted; send it without Content-Encoding", close=True)


def _require_json_type(request: web.BaseRequest) -> None:
    if len(request.headers.getall("Content-Type", ())) != 1 or request.content_type != _JSON:
        raise Problem(415, f"the Content-Type must be {_JSON}", headers={"Accept": _JSON}, close=True)
    charset = request.charset
    if charset is not None and charset.lower() not in {"utf-8", "utf8"}:
        raise Problem(415, "JSON is UTF-8; send it without another charset", headers={"Accept": _JSON}, close=True)


class BodyReader:
    """Reads bodies for one server; knows how much memory the large ones hold, from their first byte to their commit.

    Small bodies are not counted: the number of connections bounds them.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._small = min(_SMALL, limits.max_body)
        self._held = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The whole body.

        Raises:
            Problem: 413 too large, 408 too slow, 400 cut off or in too many chunks, 503 no memory for it now.
        """
        content = request.content
        if content.is_eof() and content.total_bytes <= self._small and "Transfer-Encoding" not in request.headers:
            return content.read_nowait()  # arrived together with its header, as small bodies do
        length = request.content_length
        if length is not None and length > self.limits.max_body:
            raise self._too_large()
        return await self._read_slowly(request)

    async def _read_slowly(self, request: web.BaseRequest) -> bytes:
        try:
            with _watched(request):
                async with asyncio.timeout(self.limits.body_seconds):
                    return await self._collect(request.content)
        except TimeoutError as error:
            raise Problem(408, "the body did not arrive in time", close=True) from error
        except (web.RequestPayloadError, ValueError) as error:
            raise Problem(400, "the body is cut off or badly framed", close=True) from error

    async def _collect(self, content: StreamReader) -> bytes:
        held = _Held(self)
        try:
            parts = await self._parts(content, held)
            if held.size:
                held.grow(_WEIGHT * held.size)
        except BaseException:
            held.release()
            raise
        body = b"".join(parts)
        return LargeBody.of(body, held) if held.size else body

    async def _parts(self, content: StreamReader, held: _Held) -> list[bytes]:
        parts: list[bytes] = []
        size = chunks = 0
        while True:
            part, end_of_chunk = await content.readchunk()
            if not part and not end_of_chunk:
                return parts
            size += len(part)
            chunks += 1
            if size > self.limits.max_body:
                raise self._too_large()
            if chunks > self.limits.free_chunks and size < chunks * self.limits.chunk_size:
                raise Problem(400, "the body comes in too many small chunks", close=True)
            if size > _SMALL:
                held.grow(size)
            parts.append(part)

    def take(self, size: int, own: int) -> None:
        """Count `size` more bytes as held by who holds `own`. Whoever is alone may hold any number.

        Raises:
            Problem: 503; nothing was counted.
        """
        if self._held + size > self.limits.body_memory and self._held > own:
            raise unavailable("too many large requests at once; try again")
        self._held += size

    def give_back(self, size: int) -> None:
        self._held -= size

    def _too_large(self) -> Problem:
        return Problem(413, f"the body is larger than server.max_body ({self.limits.max_body} bytes)", close=True)


def _watched(request: web.BaseRequest) -> contextlib.AbstractContextManager[None]:
    connection = request.protocol
    return connection.server.reading(connection) if isinstance(connection, Connection) else contextlib.nullcontext()


class _Held:
    """The share of one body in what the reader holds."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.size = 0

    def grow(self, size: int) -> None:
        if size > self.size:
            self._reader.take(size - self.size, self.size)
            self.size = size

    def release(self) -> None:
        self._reader.give_back(self.size)
        self.size = 0


class LargeBody(bytes):
    """A body that counts as held as long as anybody has it, be it a transaction that waits after its sender gave up."""

    held: _Held

    @classmethod
    def of(cls, body: bytes, held: _Held) -> LargeBody:
        large = cls(body)
        large.held = held
        return large

    def __del__(self) -> None:
        self.held.release()
