"""A real Prometheus whose Alertmanager is the bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest

from tests.running_bridge import BridgeProcess, bridge_process, eventually
from tests.running_prometheus import prometheus
from tests.simulators.server import Answer, Recorded, Simulator
from tests.simulators.webhook import WebhookReceiver

pytestmark = pytest.mark.prometheus

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
channels:
  hook: {type: webhook, url: "HOOK/"}
route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s}
"""


class Pump(Simulator):
    """An exporter with one pump."""

    up = True

    def answer(self, _request: Recorded) -> Answer:
        return Answer(body=f'pump_up{{pump="p1"}} {int(self.up)}\n'.encode(), headers={"Content-Type": "text/plain"})


@dataclass
class Plant:
    pump: Pump
    bridge: BridgeProcess
    prometheus: Popen[bytes]
    hook: WebhookReceiver

    def told(self) -> list[str]:
        return [told.text for told in self.hook.told()]

    def ends_at(self) -> datetime:
        """Until when the alert holds if Prometheus says no more."""
        (alert,) = self.bridge.get("/api/v2/alerts")  # type: ignore[misc]
        return datetime.fromisoformat(alert["endsAt"])


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Plant]:
    async with WebhookReceiver() as hook, Pump() as pump:
        with ExitStack() as stack:
            bridge = stack.enter_context(bridge_process(tmp_path, CONFIG.replace("HOOK", hook.url)))
            exporter = pump.url.removeprefix("http://")
            running = stack.enter_context(
                prometheus(tmp_path / "prometheus", exporter, bridge.url.removeprefix("http://"))
            )
            yield Plant(pump, bridge, running, hook)


async def test_an_alert_fires_once_however_often_prometheus_says_so_and_resolves(plant: Plant) -> None:
    plant.pump.up = False
    await eventually(lambda: plant.told() == ["firing PumpDown"])
    seen: set[datetime] = set()
    await eventually(lambda: seen.add(plant.ends_at()) or len(seen) > 3)  # each report moves the end
    assert plant.told() == ["firing PumpDown"]
    plant.pump.up = True
    await eventually(lambda: plant.told() == ["firing PumpDown", "resolved PumpDown"])
    assert plant.bridge.get("/api/v2/alerts") == []


async def test_what_is_told_is_what_the_rule_says(plant: Plant) -> None:
    plant.pump.up = False
    await eventually(plant.told)
    (alert,) = plant.bridge.get("/api/v2/alerts")  # type: ignore[misc]
    assert alert["labels"] == {
        "alertname": "PumpDown", "cluster": "test", "instance": plant.pump.url.removeprefix("http://"), "job": "pump",
        "pump": "p1", "severity": "critical",
    }  # fmt: skip
    assert alert["annotations"] == {"summary": "p1 is down"}
    assert "/graph?g0.expr=pump_up+%3D%3D+0" in alert["generatorURL"]
    assert alert["status"]["state"] == "active"


async def test_an_alert_ends_by_itself_a_grace_after_prometheus_died(plant: Plant) -> None:
    plant.pump.up = False
    await eventually(lambda: plant.told() == ["firing PumpDown"])
    plant.prometheus.kill()
    plant.prometheus.wait()
    ends_at = plant.ends_at()
    await eventually(lambda: plant.told() == ["firing PumpDown", "resolved PumpDown"])
    late = datetime.now(ends_at.tzinfo) - ends_at
    assert timedelta(seconds=5) <= late < timedelta(seconds=8)


async def test_an_alert_that_fires_again_is_told_again(plant: Plant) -> None:
    story: list[str] = []
    for up, word in ((False, "firing"), (True, "resolved"), (False, "firing"), (True, "resolved")):
        plant.pump.up = up
        story.append(f"{word} PumpDown")
        await eventually(lambda: plant.told() == story)
