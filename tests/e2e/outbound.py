"""A real bridge, asked from the command line, for tests of what becomes of deliveries."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.running_bridge import BridgeProcess, bridge_process, eventually, free_port
from tests.simulators.webhook import WebhookReceiver


class Here:
    """A bridge and those who use it. What blocks runs beside the loop, where the receivers are."""

    def __init__(self, process: BridgeProcess) -> None:
        self.process = process

    async def post(self, names: Iterable[str], status: str = "firing", **labels: str) -> None:
        """Each alert is an incident where the route groups by `alertname`."""
        assert (await asyncio.to_thread(self.process.post, "/webhook", payload(names, status, labels)))[0] == 200

    async def deliveries(self, *words: str) -> CompletedProcess[str]:
        return await asyncio.to_thread(self.process.command, "deliveries", *words, "--url", self.process.url)

    async def replay(self, *words: str) -> dict[str, Any]:
        """What `deliveries replay --json` says, which must work."""
        ran = await self.deliveries("replay", "--json", "--by", "alice", *words)
        assert ran.returncode == 0, ran.stderr
        found: dict[str, Any] = json.loads(ran.stdout)
        return found

    def count(self, *states: str) -> int:
        """How many deliveries are in these states, up to a thousand."""
        query = "&".join(f"state={state}" for state in states)
        listed: Any = self.process.get(f"/api/v1/deliveries?{query}&limit=1000")
        return len(listed["deliveries"])

    async def until(self, check: Callable[[], object], within: float = 60.0) -> None:
        await eventually(check, within)

    async def at_rest(self) -> None:
        """Until nothing waits to be sent."""
        await eventually(lambda: not self.count("pending", "leased"), within=60)

    async def reload(self, text: str) -> None:
        """Write another main file, and have it read."""
        path = self.process.folder / "routes" / "main.yml"
        path.write_text(text.replace("PORT", str(self.process.port)))
        await asyncio.to_thread(self._reload)

    def _reload(self) -> None:
        with urllib.request.urlopen(f"{self.process.url}/-/reload", b"", timeout=60) as answer:
            assert answer.status == 200

    async def audit(self, kind: str) -> list[dict[str, Any]]:
        ran = await asyncio.to_thread(self.process.command, "audit", "export", "--kind", kind)
        assert ran.returncode == 0, ran.stderr
        return [json.loads(line) for line in ran.stdout.splitlines()]

    async def verified(self) -> None:
        ran = await asyncio.to_thread(self.process.command, "audit", "verify")
        assert ran.returncode == 0, ran.stdout + ran.stderr


@asynccontextmanager
async def here(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Here]:
    """A bridge with this main file; stopped at the end."""
    running = bridge_process(folder, text, dict(environment or {}))
    bridge = await asyncio.to_thread(running.__enter__)
    try:
        yield Here(bridge)
    finally:
        await asyncio.to_thread(running.__exit__, None, None, None)


def keyring(folder: Path, text: str) -> BridgeProcess:
    """Makes the keyring that the main file names, before the bridge starts."""
    (folder / "routes").mkdir(exist_ok=True)
    (folder / "routes" / "main.yml").write_text(text)
    bridge = BridgeProcess(folder, free_port())
    ran = bridge.command("secrets", "keygen")
    assert ran.returncode == 0, ran.stderr
    return bridge


def payload(names: Iterable[str], status: str, labels: Mapping[str, str]) -> dict[str, object]:
    """Alertmanager's, with an alert of each name."""
    alerts = [
        {
            "status": status, "labels": {"alertname": name, **labels}, "annotations": {}, "generatorURL": "",
            "startsAt": "2026-03-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z" if status == "firing" else "2026-03-01T13:00:00Z",
        }
        for name in names
    ]  # fmt: skip
    return {
        "version": "4", "status": status, "receiver": "r", "groupKey": "g", "groupLabels": {}, "commonLabels": {},
        "commonAnnotations": {}, "externalURL": "", "truncatedAlerts": 0, "alerts": alerts,
    }  # fmt: skip


def received(receiver: WebhookReceiver) -> Counter[str]:
    """How often each `status name` was taken."""
    return Counter(told.text for told in receiver.told())
