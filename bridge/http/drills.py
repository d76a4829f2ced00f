"""`/api/v1/drills`: how fire drills went, and one by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from aiohttp import web

from bridge.domain.clock import Clock
from bridge.engine.drill_book import DrillList, DrillView
from bridge.http.access import Principal, Role
from bridge.http.asking import as_json, asked
from bridge.http.operations import Operation


class Book(Protocol):
    """What the engine offers: `bridge.engine.drill_book.DrillBook`."""

    async def hold(self, name: str, by: str, now: datetime) -> DrillView: ...
    async def every(self) -> DrillList: ...


class DrillPages:
    """The handlers."""

    def __init__(self, book: Book, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                "GET", "/api/v1/drills", self._list, "How fire drills went", Role.VIEWER, DrillList, problems=(503,)
            ),
            Operation(
                "POST", "/api/v1/drills/{name}", self._hold, "Hold a fire drill now", Role.RESPONDER, DrillView,
                problems=(404, 409, 503),
            ),
        )  # fmt: skip

    async def _list(self, _request: web.Request, _principal: Principal) -> web.Response:
        return as_json(await asked(self._book.every()))

    async def _hold(self, request: web.Request, principal: Principal) -> web.Response:
        held = self._book.hold(request.match_info["name"], principal.name or "anonymous", self._clock.now())
        return as_json(await asked(held, missing="there is no such drill"))
