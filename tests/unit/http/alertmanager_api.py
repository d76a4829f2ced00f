"""API v2 over a whole bridge with a clock that the test turns."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from yarl import URL

from bridge.app.bridge import Bridge
from tests.bridge_bench import Dial
from tests.unit.http.real import port_of

CONFIG = """
server: {{listen: "127.0.0.1:0", external_url: "http://127.0.0.1:9099{prefix}"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  out: {{type: exec, command: ["true"]}}
  pager: {{type: exec, command: ["true"]}}
exec: {{directories: [/usr/bin, /bin]}}
receivers: {{web.team: [out], nobody: []}}
hooks:
  - enrich: {{labels: {{region: "eu"}}}}
inhibit_rules:
  - {{source_matchers: ['severity="critical"'], target_matchers: ['severity=~"warning|critical"'], equal: [cluster]}}
time_intervals:
  - {{name: always, time_intervals: [{{}}]}}
route:
  receiver: out
  group_by: [alertname]
  routes:
    - {{matchers: ['team="web"'], receiver: web.team, continue: true}}
    - {{matchers: ['team="web"', 'severity="critical"'], receiver: pager}}
    - {{matchers: ['team="quiet"'], receiver: pager, mute_time_intervals: [always]}}
"""
TOKENS = """
access:
  tokens:
    - {name: looker, roles: [viewer], token: "env:VIEWER"}
    - {name: alice, roles: [responder], token: "env:RESPONDER"}
    - {name: prometheus, roles: [ingest], token: "env:INGEST"}
"""
GOOD = {
    "matchers": [{"name": "alertname", "value": "A", "isRegex": False}],
    "startsAt": "2026-03-01T12:00:00Z", "endsAt": "2026-03-01T13:00:00Z", "createdBy": "bob", "comment": "why",
}  # fmt: skip


class Api:
    """Asks one bridge; an answer is (status, document or text, headers)."""

    def __init__(self, bridge: Bridge, clock: Dial, session: aiohttp.ClientSession) -> None:
        self.bridge = bridge
        self.clock = clock
        self._session = session
        self.base = f"http://127.0.0.1:{port_of(bridge)}"

    async def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None, token: str = ""
    ) -> tuple[int, Any, dict[str, str]]:
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = aiohttp.encode_basic_auth("amtool", token)
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if data is not None:
            sent.setdefault("Content-Type", "application/json")
        url = URL(self.base + path, encoded=True)
        async with self._session.request(method, url, data=data, headers=sent) as answer:
            content = await answer.read()
            is_json = "json" in answer.headers.get("Content-Type", "")
            return answer.status, json.loads(content) if content and is_json else content.decode(), dict(answer.headers)

    async def get(self, path: str) -> Any:
        status, found, _headers = await self.ask("GET", f"/api/v2{path}")
        assert status == 200, found
        return found

    async def post(self, *alerts: object) -> None:
        status, found, _headers = await self.ask("POST", "/api/v2/alerts", alerts)
        assert (status, found) == (200, "")

    async def names(self, query: str = "") -> list[str]:
        return sorted(found["labels"]["alertname"] for found in await self.get(f"/alerts{query}"))

    async def silence(self, **changes: object) -> str:
        status, found, _headers = await self.ask("POST", "/api/v2/silences", {**GOOD, **changes})
        assert status == 200, found
        return str(found["silenceID"])


def alert(name: str, **labels: str) -> dict[str, object]:
    return {"labels": {"alertname": name, **labels}}


@asynccontextmanager
async def api_of(folder: Path, extra: str = "", prefix: str = "") -> AsyncIterator[Api]:
    path = folder / "bridge.yml"
    path.write_text(CONFIG.format(folder=folder, prefix=prefix) + extra)
    clock = Dial()
    bridge = await Bridge.start(path, clock, fatal=lambda _error: None)
    try:
        async with aiohttp.ClientSession() as session:
            yield Api(bridge, clock, session)
    finally:
        await bridge.stop()
