"""`GET|POST /heartbeat/NAME`: a job or a machine says that it is alive."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Protocol

from aiohttp import web
from msgspec import Struct

from bridge.domain.clock import Clock
from bridge.engine.heartbeat_book import HeartbeatList, HeartbeatView
from bridge.http.access import CHALLENGE, Principal, Role, presented
from bridge.http.asking import as_json, asked
from bridge.http.gate import Gate
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem, unavailable

_NEEDED = "a token is needed: the heartbeat's own, or one with the role ingest where it has none"


class Door(Struct, frozen=True):
    """Who may say it: the bearer of one of these tokens (SHA-256); without any, whoever has the role `ingest`.

    `closed` says why nobody can, now.
    """

    digests: tuple[bytes, ...] = ()
    closed: str = ""


class Book(Protocol):
    """What the engine offers: `bridge.engine.heartbeat_book.HeartbeatBook`."""

    async def beat(self, name: str, now: datetime) -> HeartbeatView: ...
    async def every(self) -> HeartbeatList: ...


class HeartbeatPages:
    """The handlers. `doors` is replaced when the configuration is."""

    def __init__(self, book: Book, doors: Mapping[str, Door], gate: Gate, clock: Clock) -> None:
        self.doors = doors
        self._book = book
        self._gate = gate
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        path, summary = "/heartbeat/{name}", "A sign of life"
        token = Parameter("token", "the heartbeat's own, where a header cannot be given")
        return (
            Operation(
                "GET", path, self._beat, summary, answer=HeartbeatView, parameters=(token,), problems=(401, 403, 404, 503)
            ),
            Operation(
                "POST", path, self._beat, summary, answer=HeartbeatView, parameters=(token,), problems=(401, 403, 404, 503)
            ),
            Operation(
                "GET", "/api/v1/heartbeats", self._list, "How every heartbeat is", Role.VIEWER, HeartbeatList,
                problems=(503,),
            ),
        )  # fmt: skip

    async def _beat(self, request: web.Request, _principal: Principal) -> web.Response:
        if request.method == "HEAD":
            raise Problem(405, "only GET, POST here", headers={"Allow": "GET, POST"})
        name = request.match_info["name"]
        at = f"heartbeat {name}" if name in self.doors else "heartbeat"
        if request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}:
            problem = Problem(403, "a request from another site's page is no sign of life")
            await self._gate.note(problem, at, presented=False)
            raise problem
        door = self.doors.get(name, Door())
        if door.closed:
            raise unavailable("this heartbeat's token cannot be opened now; see `/-/ready`")
        if door.digests:
            await self._require_token(request, door, at)
        else:
            await self._require_role(request, at)
        return as_json(await asked(self._book.beat(name, self._clock.now()), missing="there is no such heartbeat"))

    async def _list(self, _request: web.Request, _principal: Principal) -> web.Response:
        return as_json(await asked(self._book.every()))

    async def _require_role(self, request: web.Request, at: str) -> None:
        """One that is none is answered as one with a token, so that names are not told."""
        try:
            await self._gate.admit(request, Role.INGEST, at)
        except Problem as problem:
            if problem.status == 401:
                raise Problem(401, _NEEDED, headers=CHALLENGE) from problem
            raise

    async def _require_token(self, request: web.Request, door: Door, at: str) -> None:
        token = _token(request)
        given = sha256(token).digest()
        hits = [hmac.compare_digest(given, digest) for digest in door.digests]
        if not any(hits):
            problem = Problem(401, _NEEDED, headers=CHALLENGE)
            await self._gate.note(problem, at, presented=bool(token))
            await self._gate.delay(request, problem)
            raise problem


def _token(request: web.Request) -> bytes:
    """From the header, as bearer or as a Basic password; else from the address."""
    header = request.headers.get("Authorization")
    if header is None:
        return request.query.get("token", "").encode("utf-8", "surrogateescape")
    scheme, _, credential = header.partition(" ")
    return presented(scheme, credential.strip())
