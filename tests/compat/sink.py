"""Hears what both programs send: `POST /PROGRAM/RECEIVER`."""

from __future__ import annotations

import asyncio
import json
from typing import Self

from aiohttp import web
from msgspec import Struct

from tests.compat.alerts import canonical
from tests.compat.model import Content, Stream

_MEBIBYTE = 1024 * 1024


class Heard(Struct, frozen=True):
    """One request; `at` is the event loop's time of its arrival."""

    at: float
    program: str
    stream: Stream
    content: Content


class Sink:
    """Use as `async with Sink() as sink:`."""

    def __init__(self) -> None:
        self.url = ""
        self._bodies: list[tuple[float, str, str, bytes]] = []

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=16 * _MEBIBYTE)
        app.router.add_post("/{program}/{receiver}", self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self._runner.cleanup()

    def heard(self) -> list[Heard]:
        return [Heard(at, program, *_read(receiver, json.loads(body))) for at, program, receiver, body in self._bodies]

    async def _take(self, request: web.Request) -> web.Response:
        at = asyncio.get_running_loop().time()
        match = request.match_info
        self._bodies.append((at, match["program"], match["receiver"], await request.read()))
        return web.Response()


def _read(receiver: str, payload: dict) -> tuple[Stream, Content]:  # type: ignore[type-arg]
    stream = (receiver, tuple(sorted(payload["groupLabels"].items())))
    alerts = (
        (canonical(alert["labels"]), alert["status"], tuple(sorted(alert["annotations"].items())))
        for alert in payload["alerts"]
    )
    return stream, tuple(sorted(alerts))
