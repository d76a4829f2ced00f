"""A whole bridge on free ports, for what is only true with the engine behind it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bridge.app.bridge import Bridge
from bridge.domain.clock import SystemClock

CONFIG = """
server: {{listen: "127.0.0.1:0", observe: "127.0.0.1:0"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  nowhere: {channel}
route: {{receiver: nowhere}}
"""
NOTHING: Mapping[str, str] = {}


DYING = '{type: webhook, url: "http://127.0.0.1:1/", give_up_after: 1ms}'


def _fatal(error: BaseException) -> None:
    raise error


@contextlib.asynccontextmanager
async def whole_bridge(folder: Path, extra: str = "", channel: str = DYING) -> AsyncIterator[Bridge]:
    """Its one channel, `nowhere`, reaches nobody and gives up at once: every delivery dies. Or give another."""
    path = folder / "bridge.yml"
    path.write_text(CONFIG.format(folder=folder, channel=channel) + extra)
    bridge = await Bridge.start(path, SystemClock(), fatal=_fatal)
    try:
        yield bridge
    finally:
        await bridge.stop()


def port_of(bridge: Bridge) -> int:
    assert bridge.front is not None
    return bridge.front.main.port


class Client:
    """Asks one bridge; answers are (status, document)."""

    def __init__(self, session: aiohttp.ClientSession, port: int) -> None:
        self._session = session
        self._base = f"http://127.0.0.1:{port}"

    async def ask(
        self, method: str, path: str, *, body: object = None, token: str = "", headers: Mapping[str, str] = NOTHING
    ) -> tuple[int, Any]:
        given = {**headers, "Authorization": f"Bearer {token}"} if token else headers
        async with self._session.request(method, self._base + path, json=body, headers=given) as answer:
            content = await answer.read()
            assert answer.headers["X-Request-Id"]
            assert answer.headers["Server"] == "alertbridge"
            is_json = answer.content_type in {"application/json", "application/problem+json"}
            return answer.status, json.loads(content) if is_json and content else content

    async def get(self, path: str, token: str = "") -> Any:
        status, document = await self.ask("GET", path, token=token)
        assert status == 200, document
        return document


@contextlib.asynccontextmanager
async def client(bridge: Bridge) -> AsyncIterator[Client]:
    async with aiohttp.ClientSession() as session:
        yield Client(session, port_of(bridge))


def notification(name: str, status: str = "firing", **labels: str) -> dict[str, object]:
    """Alertmanager's, with one alert."""
    alert = {
        "status": status,
        "labels": {"alertname": name, **labels},
        "annotations": {},
        "startsAt": "2026-03-01T11:00:00Z",
        "endsAt": "2026-03-01T12:00:00Z" if status == "resolved" else "0001-01-01T00:00:00Z",
    }
    return {"version": "4", "receiver": "r", "status": status, "groupLabels": {"alertname": name}, "alerts": [alert]}
