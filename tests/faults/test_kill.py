"""SIGKILL at any moment loses nothing that was accepted.

The oracle is outside the bridge: what got a 2xx, and what the receiver saw. It never reads the bridge's database.
KILLS=N scales the run.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import sys
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.running_bridge import BridgeProcess, bridge_process, eventually

KILLS = int(os.environ.get("KILLS", "10"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
CONCURRENCY = 16
CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
log: {level: warning}
channels:
  sink: {type: webhook, url: "http://127.0.0.1:SINK/"}
route: {receiver: sink}
"""
ALERT = (
    '{"receiver":"r","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"A%(n)d"},"annotations":{},'
    '"startsAt":"2026-03-01T12:00:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"%(n)016x"}],'
    '"groupLabels":{"alertname":"A%(n)d"},"commonLabels":{},"commonAnnotations":{},"externalURL":"","version":"4",'
    '"groupKey":"{}:{alertname=\\"A%(n)d\\"}","truncatedAlerts":0}'
)


class Oracle:
    """Counts what the bridge accepted, and how often the receiver got it."""

    def __init__(self) -> None:
        self.accepted: set[int] = set()
        self.received: dict[int, int] = {}
        self.next = 0

    async def receive(self, request: web.BaseRequest) -> web.Response:
        found = re.search(rb'"alertname":"A(\d+)"', await request.read())
        assert found is not None
        number = int(found[1])
        self.received[number] = self.received.get(number, 0) + 1
        return web.Response()

    @property
    def lost(self) -> set[int]:
        return self.accepted - self.received.keys()

    @property
    def duplicates(self) -> int:
        return sum(times - 1 for times in self.received.values())

    async def post_until(self, url: str, stop: asyncio.Event) -> None:
        """Post new alerts, again and again until accepted, as Alertmanager does."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while not stop.is_set():
                number = self.next = self.next + 1
                body = ALERT % {"n": number}
                while not stop.is_set():
                    try:
                        headers = {"Content-Type": "application/json"}
                        async with session.post(f"{url}/webhook", data=body, headers=headers) as answer:
                            if answer.status == 200:
                                self.accepted.add(number)
                                break
                    except (aiohttp.ClientError, TimeoutError):
                        pass
                    await asyncio.sleep(0.02)


async def _torture(bridge: BridgeProcess, oracle: Oracle, rng: random.Random) -> None:
    stop = asyncio.Event()
    posters = [asyncio.create_task(oracle.post_until(bridge.url, stop)) for _ in range(CONCURRENCY)]
    for _kill in range(KILLS):
        await asyncio.sleep(rng.uniform(0.05, 0.6))
        await asyncio.to_thread(bridge.kill)
        await asyncio.to_thread(bridge.start)
    stop.set()
    await asyncio.gather(*posters)


async def test_what_was_accepted_is_delivered_however_often_the_bridge_is_killed(tmp_path: Path) -> None:
    """Nothing accepted is lost, duplicates per kill stay below what can be in flight, and the audit holds."""
    oracle = Oracle()
    runner = web.ServerRunner(web.Server(oracle.receive, access_log=None))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        with bridge_process(tmp_path, CONFIG.replace("SINK", str(port))) as bridge:
            await _torture(bridge, oracle, random.Random(SEED))
            await eventually(lambda: not oracle.lost, within=120)
            assert await asyncio.to_thread(bridge.stop) == 0
            verified = await asyncio.to_thread(bridge.command, "audit", "verify", "--config", "routes")
    finally:
        await runner.cleanup()

    sys.stderr.write(
        f"kills {KILLS}, accepted {len(oracle.accepted)}, lost {len(oracle.lost)}, duplicates {oracle.duplicates}, seed {SEED}\n"
    )
    assert len(oracle.accepted) > 10 * KILLS
    assert not oracle.lost
    assert oracle.duplicates <= 32 * KILLS
    assert verified.returncode == 0, verified.stdout + verified.stderr
