"""Errors as RFC 9457 documents (`application/problem+json`).

A problem says what is wrong and what to do; it never echoes what the client sent: senders copy it into their logs.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec
from aiohttp import web

from bridge.observe.logs import REQUEST_ID

MEDIA_TYPE = "application/problem+json"
REQUEST_ID_HEADER = "X-Request-Id"

SERVER = "alertbridge"
"""Instead of aiohttp's, which tells every version."""

_encode = msgspec.json.Encoder().encode


def common_headers() -> dict[str, str]:
    """What every answer carries: the id of its request, and a name that tells no versions."""
    return {REQUEST_ID_HEADER: REQUEST_ID.get(), "Server": SERVER}


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is not what the client hoped for. `members` are extra members of the document."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, object] | None = None,
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}
        self.members = members or {}
        self.close = close

    def response(self) -> web.Response:
        """The answer, with the id of the request being handled."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "request_id": REQUEST_ID.get(),
            **self.members,
        }
        response = web.Response(
            status=self.status,
            body=_encode(document),
            headers={**self.headers, **common_headers(), "Content-Type": MEDIA_TYPE},
        )
        if self.close:
            response.force_close()
        return response


def unavailable(detail: str) -> Problem:
    """503: not now. Senders repeat on 5xx alone; a 429 would lose the alert."""
    return Problem(503, detail, headers={"Retry-After": "5"})
