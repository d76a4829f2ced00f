"""Query parameters and bodies of API v2, read as Alertmanager's framework reads them."""

from __future__ import annotations

import re

from aiohttp import web

from bridge.domain.errors import BridgeError
from bridge.engine.alertmanager_filters import AlertFilter, SilenceFilter
from bridge.http.body import BodyReader
from bridge.http.problem import Problem
from bridge.ingest.swagger import not_of_type
from bridge.routing.matchers import Matcher, parse_matcher

_TRUE = frozenset({"true", "1", "yes", "ok", "y", "on", "selected", "checked", "t", "enabled"})
_UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)
_JSON = "application/json"
_UTF_8 = frozenset({"utf-8", "utf8"})


class BadQuestion(BridgeError):  # noqa: N818 - the outcome is the name
    """A parameter that cannot be understood; the message is Alertmanager's."""


def flag(request: web.Request, name: str) -> bool:
    """A boolean that is true unless it is there and says something else: every unknown word is false."""
    text = (request.query.getall(name, None) or [""])[-1]
    return text.lower() in _TRUE if text else True


def matchers(request: web.Request, name: str = "filter", complaint: str = "") -> tuple[Matcher, ...]:
    """Every value of a parameter that may be repeated.

    Raises:
        BadQuestion: one is no matcher; the message begins with the complaint.
    """
    try:
        return tuple(parse_matcher(text) for text in request.query.getall(name, ()))
    except ValueError as error:
        raise BadQuestion(f"{complaint}{error}") from None


def receiver_matchers(request: web.Request) -> tuple[Matcher, ...]:
    """Raises BadQuestion."""
    return matchers(request, "receiver_matchers", "failed to parse receiver_matchers param: ")


def alert_filter(request: web.Request) -> AlertFilter:
    """What `GET /alerts` and `/alerts/groups` ask for.

    Raises:
        BadQuestion: a matcher or the pattern for receivers is none.
    """
    asked = matchers(request)
    receiver = (request.query.getall("receiver", None) or [""])[-1]
    try:
        pattern = Matcher("name", "=~", receiver) if receiver else None
    except ValueError as error:
        raise BadQuestion(f"failed to parse receiver param: error parsing regexp: {error}") from None
    return AlertFilter(
        active=flag(request, "active"),
        silenced=flag(request, "silenced"),
        inhibited=flag(request, "inhibited"),
        muted=flag(request, "muted"),
        matchers=asked,
        receiver=pattern,
        receiver_matchers=receiver_matchers(request),
    )


def silence_filter(request: web.Request) -> SilenceFilter:
    """Raises BadQuestion."""
    return SilenceFilter(
        active=flag(request, "active"),
        pending=flag(request, "pending"),
        expired=flag(request, "expired"),
        matchers=matchers(request),
    )


def uuid_in(text: str) -> str:
    """The id of a silence in a path.

    Raises:
        SwaggerError: it is none.
    """
    if _UUID.fullmatch(text) is None:
        raise not_of_type("silenceID", "path", "uuid", text)
    return text


async def body_of(request: web.Request, reader: BodyReader) -> bytes:
    """The body, empty if there is none.

    Raises:
        Problem: 415 it is no JSON, or what reading it raises.
    """
    if not request.can_read_body:
        return b""
    given = request.headers.getall("Content-Type", ["application/octet-stream"])
    kind = request.content_type if len(given) == 1 else ", ".join(given)
    charset = request.charset
    if kind != _JSON or (charset is not None and charset.lower() not in _UTF_8):
        quoted = kind[:100].replace('"', "")
        raise Problem(415, f'unsupported media type "{quoted}", only [{_JSON}] are allowed', close=True)
    if "Content-Encoding" in request.headers:
        raise Problem(415, "an encoded body is not accepted; send it without Content-Encoding", close=True)
    return await reader.read(request)
