"""`POST /api/v1/incidents/{incident}/…`: what people do to incidents."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec
from aiohttp import web
from msgspec import Meta

from bridge.domain.act import Via
from bridge.domain.clock import Clock
from bridge.domain.duration import parse_duration
from bridge.engine.paging import Page
from bridge.engine.views import IncidentDetail
from bridge.http.access import Principal, Role
from bridge.http.acting import MAX_NAME, Act, Acting
from bridge.http.asking import as_json, asked
from bridge.http.operations import Operation
from bridge.http.problem import Problem
from bridge.ingest.labels import NUL, find_problem, without_empty

_ALL = "/api/v1/incidents"
_ONE = f"{_ALL}/{{incident}}"
_UNKNOWN = 2**31
_LONGEST_SNOOZE = timedelta(days=366)


class Operator(Protocol):
    """What the engine offers: `bridge.engine.incident_acts.IncidentActs`."""

    async def acknowledge(self, incident: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def unacknowledge(self, incident: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def resolve(self, incident: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def snooze(self, incident: str, until: datetime, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def escalate(self, incident: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def comment(self, incident: str, text: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def assign(self, incident: str, to: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def add_responder(self, incident: str, who: str, by: str, now: datetime, via: Via) -> IncidentDetail: ...
    async def page(self, page: Page, by: str, now: datetime, via: Via) -> IncidentDetail: ...


class IncidentAct(Act, frozen=True):
    """Who acts, and by which way: a program, or a person at the command line."""

    via: Literal["api", "cli"] = "api"


class SnoozeAct(IncidentAct, frozen=True, forbid_unknown_fields=True):
    """For how long (`30m`), or until when (`2026-01-31T12:00:00Z`): one of them, up to 366 days."""

    for_: str = msgspec.field(name="for", default="")
    until: str = ""


class CommentAct(IncidentAct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be kept: up to 4000 characters."""

    text: Annotated[str, Meta(min_length=1, max_length=4000)]


class AssignAct(IncidentAct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose it is to be: a name, or `person/NAME` or `on_call/SCHEDULE`."""

    to: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class CallAct(IncidentAct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is to be called: a receiver, a channel, a person, or `on_call/SCHEDULE`."""

    who: Annotated[str, Meta(min_length=1, max_length=MAX_NAME)]


class PageByHand(IncidentAct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody is paged for. `receiver` is told: also a channel, a person, or `on_call/SCHEDULE`; without it the labels
    are routed.

    `key`: a page with the key of one that is not over yet is that one; without it every page is new.
    """

    title: Annotated[str, Meta(min_length=1, max_length=200)]
    text: Annotated[str, Meta(max_length=4000)] = ""
    severity: Annotated[str, Meta(max_length=100)] = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    receiver: Annotated[str, Meta(max_length=MAX_NAME)] = ""
    key: Annotated[str, Meta(max_length=MAX_NAME)] = ""


Asked = TypeVar("Asked", bound=IncidentAct)
_Plain = Callable[[str, str, datetime, Via], Awaitable[IncidentDetail]]
_Handler = Callable[[web.Request, Principal], Awaitable[web.StreamResponse]]


class IncidentActsApi:
    """The handlers."""

    def __init__(self, operator: Operator, acting: Acting, clock: Clock) -> None:
        self._operator = operator
        self._acting = acting
        self._clock = clock

    def operations(self) -> tuple[Operation, ...]:
        operator = self._operator
        plain = {
            "acknowledge": (operator.acknowledge, "Stop reminders and escalation", (400, 404, 409, 415, 503)),
            "unacknowledge": (operator.unacknowledge, "Take an acknowledgement or a snooze back", (400, 404, 415, 503)),
            "resolve": (operator.resolve, "End an incident by hand", (400, 404, 415, 503)),
            "escalate": (operator.escalate, "Take the escalation's next step at once", (400, 404, 415, 503)),
        }
        return (
            Operation(
                "POST", _ALL, self._handler(PageByHand, self._page), "Page somebody by hand", Role.RESPONDER,
                IncidentDetail, body=PageByHand, problems=(400, 404, 415, 422, 503),
            ),
            *(
                Operation(
                    "POST", f"{_ONE}/{name}", self._plain(act), summary, Role.RESPONDER, IncidentDetail,
                    body=IncidentAct, problems=problems,
                )
                for name, (act, summary, problems) in plain.items()
            ),
            Operation(
                "POST", f"{_ONE}/snooze", self._handler(SnoozeAct, self._snooze), "Acknowledge it for a time",
                Role.RESPONDER, IncidentDetail, body=SnoozeAct, problems=(400, 404, 409, 415, 422, 503),
            ),
            Operation(
                "POST", f"{_ONE}/comment", self._handler(CommentAct, self._comment), "Say something about an incident",
                Role.RESPONDER, IncidentDetail, body=CommentAct, problems=(400, 404, 415, 422, 503),
            ),
            Operation(
                "POST", f"{_ONE}/assign", self._handler(AssignAct, self._assign), "Say whose an incident is",
                Role.RESPONDER, IncidentDetail, body=AssignAct, problems=(400, 404, 415, 422, 503),
            ),
            Operation(
                "POST", f"{_ONE}/responders", self._handler(CallAct, self._call), "Call somebody to it",
                Role.RESPONDER, IncidentDetail, body=CallAct, problems=(400, 404, 415, 422, 503),
            ),
        )  # fmt: skip

    def _plain(self, act: _Plain) -> _Handler:
        decoder = msgspec.json.Decoder(IncidentAct)

        async def handler(request: web.Request, principal: Principal) -> web.Response:
            try:
                body = await self._acting.document(request, decoder)
            except msgspec.ValidationError as error:
                raise Problem(400, 'the body must be a JSON object like {"by": "alice"}') from error
            by = self._acting.actor(principal, body.by)
            return as_json(await asked(act(request.match_info["incident"], by, self._clock.now(), Via(body.via))))

        return handler

    def _handler(
        self, shape: type[Asked], act: Callable[[str, Asked, str, datetime], Awaitable[IncidentDetail]]
    ) -> _Handler:
        """A handler for a body with more in it: `act` is told the incident, the body, who acts, and the time."""
        decoder = msgspec.json.Decoder(shape)
        fields = ", ".join(shape.__struct_encode_fields__)

        async def handler(request: web.Request, principal: Principal) -> web.Response:
            try:
                body = await self._acting.document(request, decoder)
            except msgspec.ValidationError as error:
                raise Problem(422, f"a field is unknown, or not of its type; there are: {fields}") from error
            by = self._acting.actor(principal, body.by)
            done = act(request.match_info.get("incident", ""), body, by, self._clock.now())
            return as_json(await asked(done, missing="there is no such incident, or nobody of this name"))

        return handler

    async def _snooze(self, incident: str, body: SnoozeAct, by: str, now: datetime) -> IncidentDetail:
        return await self._operator.snooze(incident, _end(body, now), by, now, Via(body.via))

    async def _comment(self, incident: str, body: CommentAct, by: str, now: datetime) -> IncidentDetail:
        text = body.text.strip()
        if not text or NUL in text:
            raise Problem(422, "text: there is nothing in it, or a zero byte")
        return await self._operator.comment(incident, text, by, now, Via(body.via))

    async def _assign(self, incident: str, body: AssignAct, by: str, now: datetime) -> IncidentDetail:
        return await self._operator.assign(incident, _name("to", body.to), by, now, Via(body.via))

    async def _call(self, incident: str, body: CallAct, by: str, now: datetime) -> IncidentDetail:
        return await self._operator.add_responder(incident, _name("who", body.who), by, now, Via(body.via))

    async def _page(self, _incident: str, body: PageByHand, by: str, now: datetime) -> IncidentDetail:
        if not all(text.isprintable() for text in (body.title, body.severity, body.receiver, body.key)):
            raise Problem(422, "title, severity, receiver and key are printable and on one line")
        labels = without_empty(body.labels)
        problem = find_problem(labels, _UNKNOWN) or (
            "has a zero byte" if any(NUL in word for pair in labels.items() for word in pair) else ""
        )
        if problem or NUL in body.text:
            raise Problem(422, f"labels: it {problem}" if problem else "text: there is a zero byte in it")
        if not body.title.strip():
            raise Problem(422, "title: there is nothing in it")
        page = Page(body.title.strip(), body.text.strip(), body.severity, labels, body.receiver, body.key)
        return await self._operator.page(page, by, now, Via(body.via))


def _name(field: str, text: str) -> str:
    name = text.strip()
    if not name or not name.isprintable():
        raise Problem(422, f"{field} is a name, printable and up to {MAX_NAME} characters")
    return name


def _end(body: SnoozeAct, now: datetime) -> datetime:
    if bool(body.for_) is bool(body.until):
        raise Problem(422, 'say for how long, {"for": "30m"}, or until when, {"until": "2026-01-31T12:00:00Z"}')
    try:
        end = now + parse_duration(body.for_) if body.for_ else _instant(body.until)
    except (ValueError, OverflowError) as error:
        raise Problem(422, f"{'for' if body.for_ else 'until'}: {error}") from error
    if not now < end <= now + _LONGEST_SNOOZE:
        raise Problem(422, f"a snooze ends later than now, and within {_LONGEST_SNOOZE.days} days")
    return end


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("it is not a time with its zone (2026-01-31T12:00:00Z)")
