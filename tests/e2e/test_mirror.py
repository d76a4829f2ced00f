"""Acknowledgements are mirrored to a real Alertmanager as silences, and what ends there in silence ends here."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.running_alertmanager import Alertmanager, alertmanager
from tests.running_bridge import BridgeProcess, eventually, free_port

pytestmark = pytest.mark.alertmanager

THEIRS = """
route: {receiver: bridge, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: bridge, webhook_configs: [{url: "http://127.0.0.1:PORT/webhook/am"}]}]
"""
OURS = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
sources: {am: {type: alertmanager, mirror: {alertmanager: "ALERTMANAGER", every: 1s, gone_after: 2s}}}
channels: {out: {type: console}}
route: {receiver: out}
"""


@dataclass
class Pair:
    upstream: Alertmanager
    bridge: BridgeProcess

    def incident(self) -> dict[str, Any]:
        """The newest; empty if there is none."""
        found = self.bridge.get("/api/v1/incidents")["incidents"]  # type: ignore[index]
        return found[0] if found else {}

    def act(self, what: str, by: str = "alice") -> None:
        status, answer = self.bridge.post(f"/api/v1/incidents/{self.incident()['id']}/{what}", {"by": by})
        assert status == 200, answer

    def silences(self, state: str = "active") -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.upstream.url}/api/v2/silences", timeout=60) as answer:
            return [one for one in json.load(answer) if one["status"]["state"] == state]

    def suppressed(self) -> list[str]:
        """The instances of the alerts that are quiet there."""
        with urllib.request.urlopen(f"{self.upstream.url}/api/v2/alerts", timeout=60) as answer:
            alerts = json.load(answer)
        return sorted(one["labels"]["instance"] for one in alerts if one["status"]["state"] == "suppressed")


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    """An Alertmanager whose receiver is the bridge, and two alerts of one group and one of another that fire."""
    port = free_port()
    with ExitStack() as stack:
        upstream = stack.enter_context(alertmanager(tmp_path / "am", THEIRS.replace("PORT", str(port))))
        config = OURS.replace("PORT", str(port)).replace("ALERTMANAGER", upstream.url)
        (tmp_path / "routes").mkdir()
        (tmp_path / "routes" / "main.yml").write_text(config)
        bridge = BridgeProcess(tmp_path, port)
        stack.callback(bridge.stop)
        bridge.start()
        pair = Pair(upstream, bridge)
        upstream.add("alertname=Other", "instance=c", "severity=warning")
        await eventually(lambda: bool(pair.incident()))
        upstream.add("alertname=Down", "instance=a.b", "severity=warning")
        upstream.add("alertname=Down", "instance=b", "severity=warning", "extra=1")
        await eventually(lambda: pair.incident().get("alerts", {}).get("firing") == 2)
        yield pair


async def test_an_acknowledged_incident_is_quiet_there_until_it_is_given_back(pair: Pair) -> None:
    pair.act("acknowledge")
    await eventually(lambda: pair.suppressed() == ["a.b", "b"])
    (silence,) = pair.silences()
    assert silence["createdBy"] == "alice"
    assert silence["comment"] == f"Acknowledged by alice over the API; Alertbridge incident {pair.incident()['id']}"

    pair.act("unacknowledge")
    await eventually(lambda: pair.suppressed() == [] and pair.silences() == [])

    pair.act("acknowledge")
    await eventually(lambda: pair.suppressed() == ["a.b", "b"])
    pair.act("resolve")
    await eventually(lambda: pair.suppressed() == [] and pair.silences() == [])


async def test_what_ends_there_without_a_word_ends_here(pair: Pair) -> None:
    """Alertmanager tells nobody of the end of an alert that is silenced."""
    pair.act("acknowledge")
    await eventually(lambda: pair.suppressed() == ["a.b", "b"])
    over = (datetime.now(UTC) - timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for labels in (("instance=a.b",), ("instance=b", "extra=1")):
        pair.upstream.add("alertname=Down", *labels, "severity=warning", end=over)

    await eventually(lambda: pair.incident()["state"] == "resolved", within=60)
    await eventually(lambda: pair.silences() == [])


async def test_a_bridge_that_is_killed_mirrors_once_it_is_back(pair: Pair) -> None:
    pair.act("acknowledge")
    pair.bridge.kill()
    pair.bridge.start()

    await eventually(lambda: pair.suppressed() == ["a.b", "b"])
    assert len(pair.silences()) == 1
