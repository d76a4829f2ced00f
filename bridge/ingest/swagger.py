"""Refusals as Alertmanager's API v2 words them where its Swagger library speaks, not its handlers.

Source: go-openapi/errors; the codes above 600 are its own and come with status 422.
"""

from __future__ import annotations

from bridge.domain.errors import BridgeError

_WRONG_FORMAT = 601
_MISSING = 602
_TOO_FEW = 612


class SwaggerError(BridgeError):
    """A request that is refused with `{"code": …, "message": …}`. `private` says that the message quotes the sender."""

    def __init__(self, status: int, code: int, message: str, *, private: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.private = private


def required(name: str) -> SwaggerError:
    """A key that must be there, and is not, or is null."""
    return SwaggerError(422, _MISSING, f"{name} in body is required")


def too_few(name: str) -> SwaggerError:
    """A list that must not be empty."""
    return SwaggerError(422, _TOO_FEW, f"{name} in body should have at least 1 items")


def not_of_type(name: str, place: str, wanted: str, value: str = "") -> SwaggerError:
    """A text that has not the form it must have; it is quoted if given."""
    quoted = ": " + _quote(value) if value else ""
    message = f"{name} in {place} must be of type {wanted}{quoted}"
    return SwaggerError(422, _WRONG_FORMAT, message, private=bool(value))


def unreadable(name: str, why: str) -> SwaggerError:
    """A body that is no JSON of the right types."""
    return SwaggerError(400, 400, f'parsing {name} body from "" failed, because {why}')


def _quote(value: str) -> str:
    escaped = value[:200].replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
