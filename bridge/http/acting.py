"""Requests that do something: what they say in their body, and under whose name they act."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct

from bridge.http.access import Principal
from bridge.http.body import BodyReader, require_json
from bridge.http.gate import Gate
from bridge.http.problem import Problem

T = TypeVar("T")

MAX_NAME = 200


class Act(Struct, frozen=True):
    """Who acts. Needed without a token; with one, the token's name counts."""

    by: str = ""


class Acting:
    """Reads what a request asks for. A body that is left out is an empty object."""

    def __init__(self, reader: BodyReader, gate: Gate) -> None:
        self._reader = reader
        self._gate = gate
        self._act = msgspec.json.Decoder(Act)

    async def who(self, request: web.Request, principal: Principal) -> str:
        """Who acts, of a body that says nothing else.

        Raises:
            Problem: 400, 403, 415.
        """
        try:
            act = await self.document(request, self._act)
        except msgspec.ValidationError as error:
            raise Problem(400, 'the body must be a JSON object like {"by": "alice"}') from error
        return self.actor(principal, act.by)

    async def document(self, request: web.Request, decoder: msgspec.json.Decoder[T]) -> T:
        """The body as a typed value.

        Raises:
            Problem: 400 it is no JSON, 415.
            msgspec.ValidationError: it is JSON of another shape.
        """
        body = b""
        if request.can_read_body:
            require_json(request)
            body = await self._reader.read(request)
        try:
            return decoder.decode(body or b"{}")
        except msgspec.ValidationError:
            raise
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Problem(400, "the body must be a JSON object") from error

    def actor(self, principal: Principal, by: str) -> str:
        """The name under which the act goes on record.

        Raises:
            Problem: 400 nobody is named, 403 the name is a token's.
        """
        if principal.name:
            return principal.name
        name = by.strip()
        if not 0 < len(name) <= MAX_NAME or not name.isprintable():
            raise Problem(400, f'say who acts: {{"by": "NAME"}}, printable and up to {MAX_NAME} characters')
        if any(token.name == name for token in self._gate.access.tokens):
            raise Problem(403, "this name belongs to a token; use the token")
        return name
