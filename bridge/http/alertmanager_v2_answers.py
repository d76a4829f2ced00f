"""Answers and refusals in the shapes of Alertmanager's API v2: a bare JSON string, or an object with `code` and `message`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

import msgspec
from aiohttp import web

from bridge.domain.errors import IngestError, IngestReason
from bridge.http.problem import Problem, common_headers
from bridge.ingest.swagger import SwaggerError

_JSON = "application/json"
_WHOLE = 256 * 1024
_encode = msgspec.json.Encoder(order="deterministic").encode
_STATUS = {IngestReason.TOO_LARGE: 413}
encode = _encode


def said(status: int, text: str) -> web.Response:
    """What a handler of Alertmanager says: a JSON string."""
    return web.Response(status=status, body=_encode(text) + b"\n", content_type=_JSON)


def refused(status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """What its framework says: an object."""
    body = _encode({"code": code, "message": message})
    return web.Response(status=status, body=body, headers=headers, content_type=_JSON)


def of_error(error: Problem | SwaggerError | IngestError) -> web.Response:
    """An error of the bridge's own in the framework's shape."""
    if isinstance(error, SwaggerError):
        return refused(error.status, error.code, str(error))
    if isinstance(error, IngestError):
        status = _STATUS.get(error.reason, 400)
        return refused(status, status, str(error))
    answer = refused(error.status, error.status, error.detail, error.headers)
    if error.close:
        answer.force_close()
    return answer


def not_found(path: str) -> web.Response:
    return refused(404, 404, f"path {path[:200]} was not found")


def not_allowed(method: str, allowed: str) -> web.Response:
    message = f"method {method[:20]} is not allowed, but [{allowed}] are"
    return refused(405, 405, message, {"Allow": allowed})


def document(found: object) -> web.Response:
    return web.Response(body=_encode(found) + b"\n", content_type=_JSON)


def done() -> web.Response:
    """200 with nothing in it, not even a type."""
    return web.Response()


def mark(request: web.Request, answer: web.StreamResponse) -> web.StreamResponse:
    """What every answer of this API carries."""
    answer.headers["Vary"] = "Origin"
    answer.headers["Cache-Control"] = "no-store"
    if "Origin" in request.headers and answer.status not in {401, 403}:
        answer.headers["Access-Control-Allow-Origin"] = "*"
    return answer


async def stream(request: web.Request, parts: AsyncGenerator[bytes]) -> web.StreamResponse:
    """An answer of any length: whole if it is short, in chunks as it comes if it is long."""
    async with aclosing(parts):
        return await _stream(request, parts)


async def _stream(request: web.Request, parts: AsyncGenerator[bytes]) -> web.StreamResponse:
    begun = bytearray()
    async for part in parts:
        begun += part
        if len(begun) > _WHOLE:
            break
    else:
        return web.Response(body=bytes(begun), content_type=_JSON)
    answer = web.StreamResponse(headers={"Content-Type": _JSON, **common_headers()})
    mark(request, answer)
    await answer.prepare(request)
    await answer.write(bytes(begun))
    async for part in parts:
        await answer.write(part)
    await answer.write_eof()
    return answer
