"""Between requests and the engine: query parameters in, JSON and problems out."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from bridge.domain.errors import Conflict, NotFound, StorageError
from bridge.http.operations import Parameter
from bridge.http.problem import Problem, unavailable

T = TypeVar("T")

WORD = re.compile(r"[A-Za-z0-9_.:-]{0,100}")
NUMBER = re.compile(r"[0-9]{0,18}")

_encode = msgspec.json.Encoder().encode


INCIDENT = Parameter("incident", "only this incident")
CURSOR = Parameter("cursor", "`next` of the page before")
LIMIT = Parameter("limit", "entries a page", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100})
_LONGEST = 200


async def asked(question: Awaitable[T], *, missing: str = "there is none with this id") -> T:
    """The engine's answer; its errors as problems. `missing` is said where there is no such thing.

    Raises:
        Problem: 404, 409, 503.
    """
    try:
        return await question
    except NotFound as error:
        raise Problem(404, missing) from error
    except Conflict as error:
        members = {"acknowledged_by": error.by} if error.by else {}
        raise Problem(409, str(error), members=members) from error
    except StorageError as error:
        raise unavailable("the database cannot answer now; try again") from error


def as_json(document: object) -> web.Response:
    return web.Response(body=_encode(document), content_type="application/json")


def states(request: web.Request, known: Sequence[str]) -> list[str]:
    """The values of `state`.

    Raises:
        Problem: 400, one of them is unknown.
    """
    wanted = request.query.getall("state", [])
    if not set(wanted) <= set(known):
        raise Problem(400, f"state is one of {', '.join(known)}")
    return wanted


def one_of(request: web.Request, name: str, known: Sequence[str]) -> str:
    """The value of a parameter from a closed set, empty if absent.

    Raises:
        Problem: 400.
    """
    text = request.query.get(name, "")
    if text and text not in known:
        raise Problem(400, f"{name} is one of {', '.join(known)}")
    return text


def is_name(text: str) -> bool:
    """Whether the text can be a name or an id, or is empty."""
    return len(text) <= _LONGEST and text.isprintable()


def named(request: web.Request, name: str) -> str:
    """The value of a parameter that is a name or an id, empty if absent.

    Raises:
        Problem: 400.
    """
    text = request.query.get(name, "")
    if not is_name(text):
        raise Problem(400, f"{name} is a name or an id, printable and up to {_LONGEST} characters")
    return text


def limit(request: web.Request) -> int:
    """The value of `limit`, 100 if absent.

    Raises:
        Problem: 400.
    """
    text = request.query.get("limit", "100")
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= 1000:
        raise Problem(400, "limit is a number from 1 to 1000")
    return int(text)


def matching(request: web.Request, name: str, form: re.Pattern[str]) -> str:
    """The value of a parameter that has a form, empty if absent.

    Raises:
        Problem: 400.
    """
    text = request.query.get(name, "")
    if form.fullmatch(text) is None:
        raise Problem(400, f"{name} is not one that this bridge gave out")
    return text
