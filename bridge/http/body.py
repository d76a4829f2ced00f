"""Reading a request's body within budgets of size, time, chunks and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import StreamReader, web

from bridge.http.limits import Limits
from bridge.http.problem import Problem, unavailable

_JSON = "application/json"
_SMALL = 64 * 1024


def require_json(request: web.BaseRequest) -> None:
    """Refuse everything but unencoded JSON in UTF-8.

    Raises:
        Problem: 415.
    """
    headers = request.headers
    if headers.get("Content-Type") != _JSON:
        _require_json_type(request)
    if "Content-Encoding" in headers:
        raise Problem(415, "an encoded body is not accepted; send it without Content-Encoding", close=True)


def _require_json_type(request: web.BaseRequest) -> None:
    if len(request.headers.getall("Content-Type", ())) != 1 or request.content_type != _JSON:
        raise Problem(415, f"the Content-Type must be {_JSON}", headers={"Accept": _JSON}, close=True)
    charset = request.charset
    if charset is not None and charset.lower() not in {"utf-8", "utf8"}:
        raise Problem(415, "JSON is UTF-8; send it without another charset", headers={"Accept": _JSON}, close=True)


class BodyReader:
    """Reads bodies for one server; knows how much memory all of them hold."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._held = 0

    async def read(self, request: web.BaseRequest) -> bytes:
        """The whole body.

        Raises:
            Problem: 413 too large, 408 too slow, 400 cut off or in too many chunks, 503 no memory for it now.
        """
        if not request.can_read_body:
            return b""
        length = request.content_length
        if length is not None:
            if length > self.limits.max_body:
                raise self._too_large()
            content = request.content
            if length <= _SMALL and content.is_eof():  # arrived together with its header, as small bodies do
                return content.read_nowait()
        return await self._read_slowly(request, length)

    async def _read_slowly(self, request: web.BaseRequest, length: int | None) -> bytes:
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                return await self._collect(request.content, _SMALL if length is None else length)
        except TimeoutError as error:
            raise Problem(408, "the body did not arrive in time", close=True) from error
        except (web.RequestPayloadError, ValueError) as error:
            raise Problem(400, "the body is cut off or badly framed", close=True) from error

    async def _collect(self, content: StreamReader, expected: int) -> bytes:
        parts: list[bytes] = []
        size = chunks = 0
        with self._hold(expected) as held:
            while True:
                part, end_of_chunk = await content.readchunk()
                if not part and not end_of_chunk:
                    return b"".join(parts)
                size += len(part)
                chunks += 1
                if size > self.limits.max_body:
                    raise self._too_large()
                if chunks > self.limits.free_chunks and size < chunks * self.limits.chunk_size:
                    raise Problem(400, "the body comes in too many small chunks", close=True)
                held.grow(size)
                parts.append(part)

    @contextmanager
    def _hold(self, expected: int) -> Iterator[_Held]:
        held = _Held(self)
        try:
            held.grow(expected)
            yield held
        finally:
            self._held -= held.size

    def take(self, size: int) -> None:
        """Count `size` more bytes as held.

        Raises:
            Problem: 503; nothing was counted.
        """
        if self._held + size > self.limits.body_memory:
            raise unavailable("too many large requests at once; try again")
        self._held += size

    def _too_large(self) -> Problem:
        return Problem(413, f"the body is larger than server.max_body ({self.limits.max_body} bytes)", close=True)


class _Held:
    """The share of one body in what the reader holds."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self.size = 0

    def grow(self, size: int) -> None:
        if size > self.size:
            self._reader.take(size - self.size)
            self.size = size
