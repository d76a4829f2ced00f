"""The body of API v2's `POST /silences`.

Source: Alertmanager 0.34, `api/v2/openapi.yaml`; what is missing is told in the order of its generated code.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import UNSET, Struct, UnsetType

from bridge.ingest.loose_times import parse_loose_time
from bridge.ingest.swagger import required, too_few, unreadable

_NAME = "silence"
_OPERATORS = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
_NUL = "\0"

Parts = tuple[str, str, str]
"""Name, operator, value of a matcher."""


class PostedSilence(Struct, frozen=True):
    """A silence that is asked for. `id` is empty for a new one; a time is None where it is not set (year 1)."""

    id: str
    matchers: tuple[Parts, ...]
    starts_at: datetime | None
    ends_at: datetime | None
    created_by: str
    comment: str
    annotations: Mapping[str, str]


class _Matcher(Struct, frozen=True, rename="camel"):
    name: str | None = None
    value: str | None = None
    is_regex: bool | None = None
    is_equal: bool | None = None


class _Silence(Struct, frozen=True, rename="camel"):
    id: str | None = None
    matchers: list[_Matcher | None] | None = None
    starts_at: str | UnsetType | None = UNSET
    ends_at: str | UnsetType | None = UNSET
    created_by: str | None = None
    comment: str | None = None
    annotations: dict[str, str | None] | None = None


_silence = msgspec.json.Decoder(_Silence | None)


def parse_silence(body: bytes) -> PostedSilence:
    """The silence in a request; whether it makes sense is for others to say.

    Raises:
        SwaggerError: it is not readable, or something is missing.
    """
    if not body or body.isspace():
        raise required(_NAME)
    try:
        found = _silence.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise unreadable(_NAME, str(error)) from None
    except RecursionError:
        raise unreadable(_NAME, "it is nested too deeply") from None
    found = _Silence() if found is None else found
    times = {
        name: _time(name, getattr(found, field)) for name, field in (("startsAt", "starts_at"), ("endsAt", "ends_at"))
    }
    return _checked(found, times)


def _checked(found: _Silence, times: Mapping[str, tuple[bool, datetime | None]]) -> PostedSilence:
    if found.comment is None:
        raise required("comment")
    if found.created_by is None:
        raise required("createdBy")
    if not times["endsAt"][0]:
        raise required("endsAt")
    matchers = _matchers(found.matchers)
    if not times["startsAt"][0]:
        raise required("startsAt")
    return PostedSilence(
        id=found.id or "",
        matchers=matchers,
        starts_at=times["startsAt"][1],
        ends_at=times["endsAt"][1],
        created_by=_clean(found.created_by),
        comment=_clean(found.comment),
        annotations={_clean(name): _clean(value or "") for name, value in (found.annotations or {}).items()},
    )


def _time(name: str, text: str | UnsetType | None) -> tuple[bool, datetime | None]:
    """Whether it is there, and what it is."""
    if text is UNSET or text is None:
        return False, None
    try:
        return True, parse_loose_time(text)[0]
    except ValueError as error:
        raise unreadable(_NAME, f"{name} {error}") from None


def _matchers(found: list[_Matcher | None] | None) -> tuple[Parts, ...]:
    if found is None:
        raise required("matchers")
    if not found:
        raise too_few("matchers")
    return tuple(_matcher(index, matcher or _Matcher()) for index, matcher in enumerate(found))


def _matcher(index: int, found: _Matcher) -> Parts:
    if found.is_regex is None:
        raise required(f"matchers.{index}.isRegex")
    if found.name is None:
        raise required(f"matchers.{index}.name")
    if found.value is None:
        raise required(f"matchers.{index}.value")
    return found.name, _OPERATORS[found.is_equal is not False, found.is_regex], found.value


def _clean(text: str) -> str:
    """Databases refuse NUL in text."""
    return text.replace(_NUL, "") if _NUL in text else text
