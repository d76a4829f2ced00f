"""`/api/v1`: incidents and the audit, for people and the command line; deliveries have their own file."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from aiohttp import web

from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.engine.queries import INCIDENT_STATES
from bridge.engine.views import IncidentDetail, IncidentPage
from bridge.http import backups, deliveries, explain, incident_acts, report
from bridge.http.access import Principal, Role
from bridge.http.acting import Acting
from bridge.http.asking import CURSOR, INCIDENT, LIMIT, NUMBER, WORD, as_json, asked, limit, matching, named, states
from bridge.http.body import BodyReader
from bridge.http.gate import Gate
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem, common_headers

NDJSON = "application/x-ndjson"


class Operator(incident_acts.Operator, deliveries.Operator, backups.Operator, report.Operator, Protocol):
    """What the engine offers: `bridge.engine.operator.Operator`."""

    async def incidents(
        self, *, states: Sequence[str] = (), query: str = "", cursor: str = "", limit: int = 100
    ) -> IncidentPage: ...
    async def incident(self, incident: str) -> IncidentDetail: ...
    def audit(self, *, since_seq: int = 0, kind: str = "", incident: str = "") -> AsyncIterator[bytes]: ...


_STATES = Parameter("state", "only these states", {"type": "string", "enum": list(INCIDENT_STATES)}, repeatable=True)


class ApiV1:
    """The handlers. Errors of the engine become problems; a database that is busy is 503."""

    def __init__(
        self, operator: Operator, explainer: explain.Answers, reader: BodyReader, gate: Gate, clock: Clock
    ) -> None:
        self._operator = operator
        acting = Acting(reader, gate)
        self._acts = incident_acts.IncidentActsApi(operator, acting, clock)
        self._deliveries = deliveries.DeliveriesApi(operator, acting, clock)
        self._backups = backups.BackupsApi(operator, acting, clock)
        self._explain = explain.ExplainApi(explainer, acting, clock)
        self._report = report.ReportApi(operator, clock)

    def operations(self) -> tuple[Operation, ...]:
        return (
            *self._incident_operations(), *self._acts.operations(), *self._deliveries.operations(), self._audit_operation(),
            *self._backups.operations(), *self._explain.operations(), *self._report.operations(),
        )  # fmt: skip

    def _incident_operations(self) -> tuple[Operation, ...]:
        one = "/api/v1/incidents/{incident}"
        query = Parameter("q", "a list of label matchers, or text that the labels contain")
        return (
            Operation(
                "GET", "/api/v1/incidents", self._list_incidents, "Incidents, newest first", Role.VIEWER, IncidentPage,
                parameters=(_STATES, query, CURSOR, LIMIT), problems=(400, 503),
            ),
            Operation(
                "GET", one, self._show_incident, "One incident with alerts, deliveries and timeline", Role.VIEWER,
                IncidentDetail, problems=(404, 503),
            ),
        )  # fmt: skip

    def _audit_operation(self) -> Operation:
        return Operation(
            "GET", "/api/v1/audit", self._audit, "The audit, one record a line", Role.ADMIN, media_type=NDJSON,
            parameters=(
                Parameter("since", "records after this `seq`", {"type": "integer", "minimum": 0}),
                Parameter("kind", "only this kind", {"type": "string", "enum": list(Kind)}), INCIDENT,
            ), problems=(400, 503),
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

    async def _audit(self, request: web.Request, _principal: Principal) -> web.StreamResponse:
        query = request.query
        lines = self._operator.audit(
            since_seq=_seq(query.get("since", "")),
            kind=_kind(query.get("kind", "")),
            incident=named(request, "incident"),
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
