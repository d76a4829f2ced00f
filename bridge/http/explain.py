"""`POST /api/v1/explain`: what would become of an alert. It answers, and does nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec
from aiohttp import web

from bridge.domain.clock import Clock
from bridge.engine.explaining_ask import Ask, BadAsk
from bridge.engine.explaining_views import Explained
from bridge.http.access import Principal, Role
from bridge.http.acting import Acting
from bridge.http.asking import as_json, asked
from bridge.http.operations import Operation
from bridge.http.problem import Problem


class Answers(Protocol):
    """What the engine offers: `bridge.engine.explaining.Explainer`."""

    async def answer(self, ask: Ask, now: datetime) -> Explained: ...


class ExplainApi:
    """The handler."""

    def __init__(self, explainer: Answers, acting: Acting, clock: Clock) -> None:
        self._explainer = explainer
        self._acting = acting
        self._clock = clock
        self._decoder = msgspec.json.Decoder(Ask)

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "POST", "/api/v1/explain", self._explain, "What would become of an alert; sends and writes nothing",
                Role.VIEWER, Explained, body=Ask, problems=(400, 415, 422, 503),
            ),
        )  # fmt: skip

    async def _explain(self, request: web.Request, _principal: Principal) -> web.Response:
        try:
            ask = await self._acting.document(request, self._decoder)
        except msgspec.ValidationError as error:
            fields = ", ".join(Ask.__struct_fields__)
            raise Problem(422, f"a field is unknown, or not of its type; there are: {fields}") from error
        try:
            return as_json(await asked(self._explainer.answer(ask, self._clock.now())))
        except BadAsk as error:
            raise Problem(422, str(error)) from error
