"""`/api/v2/silences` and `/api/v2/silence/{id}`."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from aiohttp import web
from msgspec.structs import replace

from bridge.domain.clock import Clock
from bridge.domain.errors import NotFound
from bridge.engine.alertmanager_filters import in_order
from bridge.engine.alertmanager_shapes import gettable_silence
from bridge.engine.silence_rules import SilenceRefused
from bridge.http.access import Principal
from bridge.http.alertmanager_v2_answers import document, done, said
from bridge.http.alertmanager_v2_asking import body_of, silence_filter, uuid_in
from bridge.http.body import BodyReader
from bridge.http.gate import Gate
from bridge.http.problem import Problem
from bridge.ingest.posted_silence import PostedSilence, parse_silence
from bridge.routing.silences import Silence

REQUESTED_BY = "requestedBy"
"""The annotation that keeps whom a silence says it is from, where the author is known by a token."""
_NOBODY = "anonymous"


class Book(Protocol):
    """The silences: `bridge.engine.silences.SilenceBook`."""

    async def every(self) -> list[Silence]: ...
    async def get(self, silence: str) -> Silence: ...
    async def put(self, posted: PostedSilence, author: str, now: datetime) -> str: ...
    async def expire(self, silence: str, actor: str, now: datetime) -> None: ...


class SilencesApi:
    """The handlers."""

    def __init__(self, book: Book, reader: BodyReader, gate: Gate, clock: Clock) -> None:
        self._book = book
        self._reader = reader
        self._gate = gate
        self._clock = clock

    async def list(self, request: web.Request, _principal: Principal) -> web.Response:
        wanted, now = silence_filter(request), self._clock.now()
        found = [silence for silence in await self._book.every() if wanted.takes(silence, now)]
        return document([gettable_silence(silence, now) for silence in in_order(found, now)])

    async def get(self, request: web.Request, _principal: Principal) -> web.Response:
        try:
            found = await self._book.get(_id(request))
        except NotFound:
            return web.Response(status=404)
        return document(gettable_silence(found, self._clock.now()))

    async def expire(self, request: web.Request, principal: Principal) -> web.Response:
        try:
            await self._book.expire(_id(request), principal.name or _NOBODY, self._clock.now())
        except NotFound:
            return web.Response(status=404)
        return done()

    async def post(self, request: web.Request, principal: Principal) -> web.Response:
        posted = parse_silence(await body_of(request, self._reader))
        posted = self._signed(posted, principal)
        try:
            silence = await self._book.put(posted, posted.created_by, self._clock.now())
        except SilenceRefused as error:
            return said(400, str(error))
        except NotFound:
            return said(404, "silence not found")
        return document({"silenceID": silence})

    def _signed(self, posted: PostedSilence, principal: Principal) -> PostedSilence:
        """The same under its author's name: that of the token, if there is one.

        Raises:
            Problem: 403, somebody without the token uses its name.
        """
        said_to_be = posted.created_by
        if not principal.name:
            if any(token.name == said_to_be for token in self._gate.access.tokens):
                raise Problem(403, "this name belongs to a token; use the token")
            return posted
        annotations = dict(posted.annotations)
        if said_to_be and said_to_be != principal.name:
            annotations[REQUESTED_BY] = said_to_be
        return replace(posted, created_by=principal.name, annotations=annotations)


def _id(request: web.Request) -> str:
    """Raises SwaggerError."""
    return uuid_in(request.match_info["path"].strip("/").partition("/")[2])
