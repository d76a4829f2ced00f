"""A bridge that is reached from the internet, behind a proxy that terminates TLS and keeps the path."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from bridge.domain.message import Message
from tests.unit.http.real import client, notification, whole_bridge

PLUGIN = Path(__file__).parents[2] / "callback_plugin.py"
URL = "https://alerts.example.org/bridge"
MAIN = """
server: {{listen: "127.0.0.1:0", external_url: "https://alerts.example.org/bridge"}}
storage: {{url: "sqlite:{folder}/bridge.db"}}
channels:
  polly: {{type: parrot}}
  shy: {{type: parrot, strangers: false}}
  deaf: {{type: parrot, deaf: true}}
  other: {{type: console}}
route: {{receiver: polly}}
"""
REST = f"""
plugins: ["{PLUGIN}"]
people:
  alice: {{accounts: {{slack: [U1, U2]}}, channels: {{slack: shy}}}}
  bob: {{accounts: {{slack: U3, telegram: 4}}}}
access: {{tokens: [{{name: ops, roles: [admin, ingest], token: "env:OPS_TOKEN"}}]}}
"""
THROUGH_A_PROXY = {"Host": "alerts.example.org", "X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
TOKEN = "ops-token"


@contextlib.asynccontextmanager
async def outside_bridge(
    folder: Path, monkeypatch: pytest.MonkeyPatch, main: str = MAIN, rest: str = REST
) -> AsyncIterator[Bridge]:
    """Everything but links and callbacks needs the token."""
    monkeypatch.setenv("OPS_TOKEN", TOKEN)
    monkeypatch.setattr("tests.unit.http.real.CONFIG", main)
    async with whole_bridge(folder, rest) as running:
        yield running


async def open_incident(bridge: Bridge, name: str = "Down", *, prefix: str = "/bridge") -> str:
    async with client(bridge) as asking:
        status, _ = await asking.ask("POST", f"{prefix}/webhook", body=notification(name), token=TOKEN)
        assert status == 200
    return (await bridge.operator.incidents()).incidents[0].id


async def told(bridge: Bridge, incident: str, channel: str = "polly") -> Message:
    """The last message of an incident on a channel of parrots, once it was sent."""
    sent: list[Message] = bridge.transactions.generation().channels[channel].channel.sent  # type: ignore[union-attr]
    for _ in range(1200):
        found = [each for each in sent if (each.incident, each.channel) == (incident, channel)]
        if found and (await bridge.operator.incident(incident)).told:
            return found[-1]
        await asyncio.sleep(0.05)
    raise AssertionError("nothing was told")


async def state(bridge: Bridge, incident: str) -> tuple[str, str | None]:
    detail = await bridge.operator.incident(incident)
    return detail.incident.state, detail.incident.acknowledged_by
