"""`/api/v1`: incidents, deliveries and the audit, for people and the command line."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from aiohttp import web
from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.engine.queries import DELIVERY_STATES, INCIDENT_STATES
from bridge.engine.views import DeliveryPage, DeliveryView, IncidentDetail, IncidentPage
from bridge.http.access import Principal, Role
from bridge.http.asking import NUMBER, WORD, as_json, asked, limit, matching, states
from bridge.http.body import BodyReader, require_json
from bridge.http.gate import Gate
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem, common_headers

NDJSON = "application/x-ndjson"
MAX_NAME = 200


class Operator(Protocol):
    """What the engine offers: `bridge.engine.operator.Operator`."""

    async def incidents(
        self, *, states: Sequence[str] = (), query: str = "", cursor: str = "", limit: int = 100
    ) -> IncidentPage: ...
    async def incident(self, incident: str) -> IncidentDetail: ...
    async def acknowledge(self, incident: str, by: str, now: datetime) -> IncidentDetail: ...
    async def unacknowledge(self, incident: str, by: str, now: datetime) -> IncidentDetail: ...
    async def resolve(self, incident: str, by: str, now: datetime) -> IncidentDetail: ...
    async def deliveries(
        self, *, states: Sequence[str] = (), channel: str = "", incident: str = "", cursor: str = "", limit: int = 100
    ) -> DeliveryPage: ...
    async def retry(self, delivery: str, by: str, now: datetime) -> DeliveryView: ...
    def audit(self, *, since_seq: int = 0, kind: str = "", incident: str = "") -> AsyncIterator[bytes]: ...


class Act(Struct, frozen=True):
    """Who acts. Needed without a token; with one, the token's name counts."""

    by: str = ""


_decode_act = msgspec.json.Decoder(Act).decode
_Action = Callable[[str, str, datetime], Awaitable[IncidentDetail | DeliveryView]]


def _states(names: Sequence[str]) -> Parameter:
    return Parameter("state", "only these states", {"type": "string", "enum": list(names)}, repeatable=True)


_CURSOR_PARAMETER = Parameter("cursor", "`next` of the page before")
_LIMIT = Parameter("limit", "entries a page", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})


class ApiV1:
    """The handlers. Errors of the engine become problems; a database that is busy is 503."""

    def __init__(self, operator: Operator, reader: BodyReader, gate: Gate, clock: Clock) -> None:
        self._operator = operator
        self._reader = reader
        self._gate = gate
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        return (*self._incident_operations(), *self._delivery_operations())

    def _incident_operations(self) -> tuple[Operation, ...]:
        one = "/api/v1/incidents/{incident}"
        acts = {
            "acknowledge": (self._operator.acknowledge, "Stop reminders and escalation", (400, 404, 409, 415, 503)),
            "unacknowledge": (self._operator.unacknowledge, "Take an acknowledgement back", (400, 404, 415, 503)),
            "resolve": (self._operator.resolve, "End an incident by hand", (400, 404, 415, 503)),
        }
        query = Parameter("q", "a list of label matchers, or text that the labels contain")
        return (
            Operation(
                "GET", "/api/v1/incidents", self._list_incidents, "Incidents, newest first", Role.VIEWER, IncidentPage,
                parameters=(_states(INCIDENT_STATES), query, _CURSOR_PARAMETER, _LIMIT), problems=(400, 503),
            ),
            Operation(
                "GET", one, self._show_incident, "One incident with alerts, deliveries and timeline", Role.VIEWER,
                IncidentDetail, problems=(404, 503),
            ),
            *(
                Operation(
                    "POST", f"{one}/{name}", self._acting("incident", act), summary, Role.RESPONDER, IncidentDetail,
                    body=Act, problems=problems,
                )
                for name, (act, summary, problems) in acts.items()
            ),
        )  # fmt: skip

    def _delivery_operations(self) -> tuple[Operation, ...]:
        filters = (
            Parameter("channel", "only this channel"),
            Parameter("incident", "only this incident"),
        )
        return (
            Operation(
                "GET", "/api/v1/deliveries", self._list_deliveries, "Deliveries, newest first", Role.VIEWER,
                DeliveryPage, problems=(400, 503),
                parameters=(_states(DELIVERY_STATES), *filters, _CURSOR_PARAMETER, _LIMIT),
            ),
            Operation(
                "POST", "/api/v1/deliveries/{delivery}/retry", self._acting("delivery", self._operator.retry),
                "Send a dead or parked delivery again", Role.ADMIN, DeliveryView, body=Act,
                problems=(400, 404, 409, 415, 503),
            ),
            Operation(
                "GET", "/api/v1/audit", self._audit, "The audit, one record a line", Role.ADMIN, media_type=NDJSON,
                parameters=(
                    Parameter("since", "records after this `seq`", {"type": "integer", "minimum": 0}),
                    Parameter("kind", "only this kind", {"type": "string", "enum": list(Kind)}), filters[1],
                ), problems=(400, 503),
            ),
        )  # fmt: skip

    async def _list_incidents(self, request: web.Request, _principal: Principal) -> web.Response:
        query = request.query
        page = await asked(
            self._operator.incidents(
                states=states(request, INCIDENT_STATES),
                query=query.get("q", ""),
                cursor=matching(request, "cursor", WORD),
                limit=limit(request),
            )
        )
        return as_json(page)

    async def _show_incident(self, request: web.Request, _principal: Principal) -> web.Response:
        return as_json(await asked(self._operator.incident(request.match_info["incident"])))

    async def _list_deliveries(self, request: web.Request, _principal: Principal) -> web.Response:
        query = request.query
        page = await asked(
            self._operator.deliveries(
                states=states(request, DELIVERY_STATES),
                channel=query.get("channel", ""),
                incident=query.get("incident", ""),
                cursor=matching(request, "cursor", NUMBER),
                limit=limit(request),
            )
        )
        return as_json(page)

    def _acting(self, target: str, act: _Action) -> Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request, principal: Principal) -> web.Response:
            by = await self._actor(request, principal)
            return as_json(await asked(act(request.match_info[target], by, self._clock.now())))

        return handler

    async def _actor(self, request: web.Request, principal: Principal) -> str:
        by = ""
        if request.can_read_body:
            require_json(request)
            try:
                by = _decode_act(await self._reader.read(request)).by.strip()
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise Problem(400, 'the body must be a JSON object like {"by": "alice"}') from error
        if principal.name:
            return principal.name
        if not 0 < len(by) <= MAX_NAME or not by.isprintable():
            raise Problem(400, f'say who acts: {{"by": "NAME"}}, printable and up to {MAX_NAME} characters')
        if any(token.name == by for token in self._gate.access.tokens):
            raise Problem(403, "this name belongs to a token; use the token")
        return by

    async def _audit(self, request: web.Request, _principal: Principal) -> web.StreamResponse:
        query = request.query
        lines = self._operator.audit(
            since_seq=_seq(query.get("since", "")),
            kind=_kind(query.get("kind", "")),
            incident=query.get("incident", ""),
        )
        answer = web.StreamResponse(headers={**common_headers(), "Content-Type": NDJSON})
        async with contextlib.AsyncExitStack() as stack:
            if close := getattr(lines, "aclose", None):
                stack.push_async_callback(close)
            first = await asked(anext(lines, None))
            await answer.prepare(request)
            if first is not None:
                await answer.write(first)
            async for line in lines:
                await answer.write(line)
            await answer.write_eof()
        return answer


def _seq(text: str) -> int:
    if not NUMBER.fullmatch(text):
        raise Problem(400, "since is the `seq` of a record, a number: those after it are given")
    return int(text or 0)


def _kind(text: str) -> str:
    if text and text not in set(Kind):
        raise Problem(400, f"kind is one of {', '.join(Kind)}")
    return text
