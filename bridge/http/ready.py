"""An answer that is bytes already: what most requests get, without a response object and headers to build."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import lru_cache

from aiohttp import HttpVersion11, web

from bridge.http.problem import REQUEST_ID_HEADER, SERVER
from bridge.observe.logs import REQUEST_ID


class Ready:
    """200 with a JSON document, for HTTP/1.1 on a connection that stays open."""

    __slots__ = ("data",)

    keep_alive = True

    def __init__(self, document: bytes) -> None:
        head = f"{_head(int(time.time()))}{REQUEST_ID.get()}\r\nContent-Length: {len(document)}\r\n\r\n"
        self.data = head.encode() + document

    @staticmethod
    def suits(request: web.BaseRequest) -> bool:
        """Whether the request can be answered so."""
        return request.version == HttpVersion11 and request.keep_alive and "Upgrade" not in request.headers


@lru_cache(maxsize=2)
def _head(second: int) -> str:
    return (
        f"HTTP/1.1 200 OK\r\nServer: {SERVER}\r\nDate: {formatdate(second, usegmt=True)}\r\n"
        f"Content-Type: application/json\r\n{REQUEST_ID_HEADER}: "
    )
