"""`GET /schedules/NAME.ics`: a schedule for calendars, which bring no credentials but a token in the address."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from aiohttp import web

from bridge.domain.clock import Clock
from bridge.domain.schedules import Schedule
from bridge.http.access import Principal
from bridge.http.gate import Gate
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem

_BACK, _AHEAD = timedelta(days=31), timedelta(days=366)

TokenOf = Callable[[str], str]
"""The token of a schedule's name; of a name that is none, too."""


class Published(Protocol):
    """What the engine offers: `bridge.engine.on_call.OnCallBook`."""

    def schedule(self, name: str) -> Schedule | None: ...

    def shown(self) -> Mapping[str, str]: ...


class SchedulePages:
    """The handler. A wrong token and a schedule that is none are answered alike, so that names are not told."""

    def __init__(self, book: Published, token_of: TokenOf, gate: Gate, clock: Clock) -> None:
        self._book = book
        self._token_of = token_of
        self._gate = gate
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        token = Parameter("token", "the schedule's own: `alertbridge schedule show --url`")
        return (
            Operation(
                "GET", "/schedules/{name}.ics", self._calendar, "A schedule as a calendar", media_type="text/calendar",
                parameters=(token,), problems=(404,),
            ),
        )  # fmt: skip

    async def _calendar(self, request: web.Request, _principal: Principal) -> web.Response:
        name = request.match_info["name"]
        expected = self._token_of(name).encode()
        given = request.query.get("token", "").encode("utf-8", "surrogateescape")
        known = hmac.compare_digest(expected, given)
        schedule = self._book.schedule(name)
        if not known or schedule is None:
            problem = Problem(404, "there is no such calendar, or this is not its token")
            await self._gate.note(
                problem, "calendar" if schedule is None else f"calendar {name}", presented=bool(given)
            )
            await self._gate.delay(request, problem)
            raise problem
        body = await asyncio.to_thread(self._written, schedule)
        tag = hashlib.sha256(body).hexdigest()[:32]
        headers = {"ETag": f'"{tag}"', "Cache-Control": "private, max-age=300"}
        if any(each.value in {tag, "*"} for each in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=body, content_type="text/calendar", charset="utf-8", headers=headers)

    def _written(self, schedule: Schedule) -> bytes:
        from bridge.calendars import schedule_ics  # costs start-up time that most bridges have no use for

        now = self._clock.now()
        return schedule_ics(schedule, now - _BACK, now + _AHEAD, self._book.shown())
