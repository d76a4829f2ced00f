"""`GET /api/v1/report`: the numbers of a time. They may take a while to count: as lines, the answer says how far it is."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from aiohttp import web
from msgspec import Struct

from bridge.domain.clock import Clock
from bridge.domain.instant import parse_instant
from bridge.engine.numbers_tally import Asked
from bridge.engine.numbers_views import Counted, Report
from bridge.http.access import Principal, Role
from bridge.http.asking import as_json, asked
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem, common_headers

LINES = "application/x-ndjson"
_TIME = "a time with its zone, or how long ago: `30d`"
_SINCE = timedelta(days=30)
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
_LABEL = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
_encode = msgspec.json.Encoder().encode


class Line(Struct, frozen=True, omit_defaults=True):
    """One line of the answer: how far the counting is, or, last, the report."""

    counted: Counted | None = None
    report: Report | None = None


class Operator(Protocol):
    """What the engine offers: `bridge.engine.operator.Operator`."""

    def numbers(self, asked: Asked) -> AsyncIterator[Counted | Report]: ...


class ReportApi:
    """The handler."""

    def __init__(self, operator: Operator, clock: Clock) -> None:
        self._operator = operator
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        zone = Parameter(
            "zone", "hours of the day are those of this IANA time zone", {"type": "string", "default": "UTC"}
        )
        team = Parameter("team", "the label that says whose an incident is", {"type": "string", "default": "team"})
        return (
            Operation(
                "GET", "/api/v1/report", self._report,
                f"Times to acknowledge and to resolve, and pages, of a time; as lines with `Accept: {LINES}`",
                Role.VIEWER, Report,
                parameters=(Parameter("since", f"{_TIME}; 30 days ago if absent"), Parameter("until", f"{_TIME}; now if absent"), zone, team),
                problems=(400, 503),
            ),
        )  # fmt: skip

    async def _report(self, request: web.Request, _principal: Principal) -> web.StreamResponse:
        steps = self._operator.numbers(self._asked(request))
        async with contextlib.AsyncExitStack() as stack:
            if close := getattr(steps, "aclose", None):
                stack.push_async_callback(close)
            if LINES in request.headers.get("Accept", ""):
                return await _lines(request, steps)
            while True:
                step = await asked(anext(steps))
                if isinstance(step, Report):
                    return as_json(step)

    def _asked(self, request: web.Request) -> Asked:
        query = request.query
        now = self._clock.now()
        since = _instant("since", query.get("since", ""), now) or now - _SINCE
        until = _instant("until", query.get("until", ""), now) or now
        if since >= until:
            raise Problem(400, "until must be later than since")
        name = query.get("zone", "") or "UTC"
        team = query.get("team", "") or "team"
        if _LABEL.fullmatch(team) is None:
            raise Problem(400, "team is the name of a label")
        return Asked(since, until, _zone(name), name, team)


async def _lines(request: web.Request, steps: AsyncIterator[Counted | Report]) -> web.StreamResponse:
    first = await asked(anext(steps))
    answer = web.StreamResponse(headers={**common_headers(), "Content-Type": LINES})
    await answer.prepare(request)
    await answer.write(_line(first))
    async for step in steps:
        await answer.write(_line(step))
    await answer.write_eof()
    return answer


def _line(step: Counted | Report) -> bytes:
    line = Line(report=step) if isinstance(step, Report) else Line(counted=step)
    return _encode(line) + b"\n"


def _zone(name: str) -> tzinfo:
    problem = Problem(400, "zone is the name of a time zone, such as Europe/Berlin")
    if _ZONE.fullmatch(name) is None:
        raise problem
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise problem from error


def _instant(name: str, text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    try:
        return parse_instant(text, now)
    except ValueError as error:
        raise Problem(400, f"{name}: {error}") from error
