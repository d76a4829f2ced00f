"""`/a/{token}`: a signed link in a message. GET shows a page with a button, only POST acts.

Mail scanners and chat previews follow links, so looking changes nothing, whoever looks. Whoever has the link may act,
and needs no role: the token is the credential, and nothing of it is logged or passed on.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qsl

from aiohttp import web
from msgspec import Struct

from bridge.domain.clock import Clock
from bridge.domain.duration import parse_duration
from bridge.domain.errors import IngestReason, NotFound, StorageError
from bridge.engine.link_acts import Linked
from bridge.engine.links import BadLink, ExpiredLink
from bridge.http.access import Principal
from bridge.http.action_page import POLICY, message_page, page
from bridge.http.body import BodyReader, refuse_encoded
from bridge.http.callbacks import Doubts
from bridge.http.gate import Gate
from bridge.http.operations import Operation
from bridge.http.problem import Problem
from bridge.observe.metrics import Metrics

FORM = 16 * 1024
"""The largest form in bytes."""
_HTML = "text/html"
_FORM_TYPE = "application/x-www-form-urlencoded"
_LONGEST = 200
_FIELDS = 10
_PERIOD = re.compile(r"[0-9]{1,4}[mhd]")
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow, noarchive",
}


class Links(Protocol):
    """What the engine offers: `bridge.engine.link_acts.LinkActs`."""

    async def look(self, token: str, now: datetime) -> Linked: ...
    async def act(
        self, token: str, now: datetime, *, name: str = "", seen: str = "", lasting: timedelta | None = None
    ) -> Linked: ...


class Filled(Struct, frozen=True):
    """The page's form as it came back. All of it may be absent."""

    name: str = ""
    seen: str = ""
    lasting: timedelta | None = None


class ActionLinks:
    """The handlers. Every answer is a page for people, errors too."""

    def __init__(
        self, links: Links, doubts: Doubts, reader: BodyReader, gate: Gate, metrics: Metrics, clock: Clock
    ) -> None:
        self._links = links
        self._doubts = doubts
        self._reader = reader
        self._gate = gate
        self._metrics = metrics
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation("GET", "/a/{token}", self._show, "What a link in a message would do", media_type=_HTML),
            Operation(
                "POST", "/a/{token}", self._act, "Do what a link in a message is for", media_type=_HTML,
                problems=(400, 408, 413, 415),
            ),
        )  # fmt: skip

    async def _show(self, request: web.Request, _principal: Principal) -> web.Response:
        now = self._clock.now()
        return await self._answer(request, self._links.look(request.match_info["token"], now), now)

    async def _act(self, request: web.Request, _principal: Principal) -> web.Response:
        form = await self._form(request)
        now = self._clock.now()
        acting = self._links.act(request.match_info["token"], now, name=form.name, seen=form.seen, lasting=form.lasting)
        return await self._answer(request, acting, now)

    async def _answer(self, request: web.Request, linked: Awaitable[Linked], now: datetime) -> web.Response:
        try:
            found = await linked
        except ExpiredLink:
            return _page(410, message_page("This link has expired", "A newer message may hold one that has not."))
        except BadLink:
            problem = Problem(404, "")
            self._metrics.links_forged.inc()
            await self._doubts.refuse("", IngestReason.FORGED, "link of a message", now)
            await self._gate.delay(request, problem)
            return _page(
                404, message_page("This link opens nothing", "It may be cut off, or no longer valid."), problem
            )
        except NotFound:
            return _page(410, message_page("The incident is gone", "It ended long ago, and is not kept any more."))
        except StorageError:
            return _page(503, message_page("Not now", "The bridge cannot do it at the moment. Try again."))
        return _page(409 if found.refused else 200, page(found, now))

    async def _form(self, request: web.Request) -> Filled:
        """What the form says.

        Raises:
            Problem: 400, 408, 413, 415.
        """
        if not request.can_read_body:
            return Filled()
        refuse_encoded(request)
        body = await self._reader.read(request)
        if body and request.content_type != _FORM_TYPE:
            raise Problem(415, f"the Content-Type must be {_FORM_TYPE}", close=True)
        try:
            fields = dict(parse_qsl(body.decode(), max_num_fields=_FIELDS, errors="strict"))
        except ValueError as error:
            raise Problem(400, "the form cannot be read") from error
        period = fields.get("for", "")
        if period and _PERIOD.fullmatch(period) is None:
            raise Problem(400, "for is how long, like 30m, 2h or 1d")
        return Filled(
            fields.get("name", "")[:_LONGEST], fields.get("seen", ""), parse_duration(period) if period else None
        )


def _page(status: int, html: str, problem: Problem | None = None) -> web.Response:
    headers = {**_HEADERS, "Retry-After": "5"} if status == 503 else _HEADERS
    response = web.Response(status=status, text=html, content_type=_HTML, charset="utf-8", headers=headers)
    if problem is not None and problem.close:
        response.force_close()
    return response
