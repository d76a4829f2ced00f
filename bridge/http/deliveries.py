"""`/api/v1/deliveries`: what was sent, what waits, and dead letters that come back to life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from bridge.domain.clock import Clock
from bridge.domain.instant import parse_instant
from bridge.engine.queries import DELIVERY_REASONS, DELIVERY_STATES
from bridge.engine.replay import Ask
from bridge.engine.views import DeliveryPage, DeliveryView, ReplayPage
from bridge.http.access import Principal, Role
from bridge.http.acting import Act, Acting
from bridge.http.asking import (
    CURSOR,
    INCIDENT,
    LIMIT,
    NUMBER,
    as_json,
    asked,
    is_name,
    limit,
    matching,
    named,
    one_of,
    states,
)
from bridge.http.operations import Operation, Parameter
from bridge.http.problem import Problem
from bridge.storage.deliveries import Wanted

_TIME = "a time with its zone (2026-01-31T12:00:00Z), or how long ago (2h)"
_STATES = Parameter("state", "only these states", {"type": "string", "enum": list(DELIVERY_STATES)}, repeatable=True)


class Operator(Protocol):
    """What the engine offers: `bridge.engine.operator.Operator`."""

    async def deliveries(
        self, *, states: Sequence[str] = (), wanted: Wanted = ..., cursor: str = "", limit: int = 100
    ) -> DeliveryPage: ...
    async def retry(self, delivery: str, by: str, now: datetime) -> DeliveryView: ...
    async def replay(
        self, ask: Ask, by: str, now: datetime, *, cursor: str = "", limit: int = 500, dry_run: bool = False
    ) -> ReplayPage: ...


class Replay(Struct, frozen=True, forbid_unknown_fields=True):
    """Which dead letters are to be replayed, as in `GET /api/v1/deliveries`; nothing but `by` means all of them.

    `all` takes in what is no longer firing, and notices of the bridge itself. Go on with the answer's `next` as `cursor`.
    """

    by: str = ""
    state: Literal["dead", "parked"] = "dead"
    channel: str = ""
    incident: str = ""
    reason: str = ""
    since: str = ""
    until: str = ""
    all: bool = False
    dry_run: bool = False
    cursor: Annotated[str, Meta(pattern="^([0-9]{1,18}-[0-9]{1,18}-[0-9]{1,18})?$")] = ""
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500


class DeliveriesApi:
    """The handlers."""

    def __init__(self, operator: Operator, acting: Acting, clock: Clock) -> None:
        self._operator = operator
        self._acting = acting
        self._clock = clock
        self._replay_body = msgspec.json.Decoder(Replay)

    def operations(self) -> tuple[Operation, ...]:
        filters = (
            Parameter("channel", "only this channel"),
            INCIDENT,
            Parameter(
                "reason",
                "only these: why people were to be told, or why it ended",
                {"type": "string", "enum": list(DELIVERY_REASONS)},
            ),
            Parameter("since", f"planned (or last given a new life) then or later: {_TIME}"),
            Parameter("until", f"planned before: {_TIME}"),
        )
        return (
            Operation(
                "GET", "/api/v1/deliveries", self._list, "Deliveries, newest first", Role.VIEWER, DeliveryPage,
                parameters=(_STATES, *filters, CURSOR, LIMIT), problems=(400, 503),
            ),
            Operation(
                "POST", "/api/v1/deliveries/{delivery}/retry", self._retry, "Send a dead or parked delivery again",
                Role.ADMIN, DeliveryView, body=Act, problems=(400, 404, 409, 415, 503),
            ),
            Operation(
                "POST", "/api/v1/deliveries/replay", self._replay, "Send dead letters again, a page at a time",
                Role.ADMIN, ReplayPage, body=Replay, problems=(400, 404, 415, 422, 503),
            ),
        )  # fmt: skip

    async def _list(self, request: web.Request, _principal: Principal) -> web.Response:
        now = self._clock.now()
        wanted = Wanted(
            channel=named(request, "channel"),
            incident=named(request, "incident"),
            reason=one_of(request, "reason", DELIVERY_REASONS),
            since=_instant("since", request.query.get("since", ""), now, 400),
            until=_instant("until", request.query.get("until", ""), now, 400),
        )
        page = await asked(
            self._operator.deliveries(
                states=states(request, DELIVERY_STATES),
                wanted=wanted,
                cursor=matching(request, "cursor", NUMBER),
                limit=limit(request),
            )
        )
        return as_json(page)

    async def _retry(self, request: web.Request, principal: Principal) -> web.Response:
        by = await self._acting.who(request, principal)
        return as_json(await asked(self._operator.retry(request.match_info["delivery"], by, self._clock.now())))

    async def _replay(self, request: web.Request, principal: Principal) -> web.Response:
        try:
            body = await self._acting.document(request, self._replay_body)
        except msgspec.ValidationError as error:
            fields = ", ".join(Replay.__struct_fields__)
            raise Problem(422, f"a field is unknown, or not of its type; there are: {fields}") from error
        by = self._acting.actor(principal, body.by)
        now = self._clock.now()
        page = self._operator.replay(
            _ask(body, now), by, now, cursor=body.cursor, limit=body.limit, dry_run=body.dry_run
        )
        return as_json(await asked(page, missing="there is no such incident, or no such channel"))


def _ask(body: Replay, now: datetime) -> Ask:
    since, until = (_instant(name, text, now, 422) for name, text in (("since", body.since), ("until", body.until)))
    if since is not None and until is not None and since >= until:
        raise Problem(422, "until must be later than since")
    if body.reason and body.reason not in DELIVERY_REASONS:
        raise Problem(422, f"reason is one of {', '.join(DELIVERY_REASONS)}")
    if not all(is_name(name) for name in (body.channel, body.incident)):
        raise Problem(422, "channel and incident are names or ids")
    wanted = Wanted(body.channel, body.incident, body.reason, since, until)
    return Ask(wanted, parked=body.state == "parked", everything=body.all)


def _instant(name: str, text: str, now: datetime, status: int) -> datetime | None:
    if not text:
        return None
    try:
        return parse_instant(text, now)
    except ValueError as error:
        raise Problem(status, f"{name}: {error}") from error
