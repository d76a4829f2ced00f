"""Channels that answer late or never slow nobody but themselves, in time and in memory.

The oracle is outside: what got a 2xx, and what each receiver saw, when. BACKLOG=N scales the run; the figures go to
standard error.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from msgspec import Struct

from tests.faults.serving import bridge_of
from tests.faults.witness import HEAD, slowly, town, witnesses_of
from tests.running_bridge import BridgeProcess, eventually

BACKLOG = int(os.environ.get("BACKLOG", "2000"))
SLOW_FOR = float(os.environ.get("SLOW_FOR", "1.5"))
CHANNELS = 20
TOGETHER = 50
GROWTH = 20 * 1024  # KiB


async def test_a_slow_channel_delays_nobody_else_and_gets_everything_in_order(tmp_path: Path) -> None:
    """Its answers take SLOW_FOR seconds (30 in the long run), four at a time."""
    config = """
channels:
  slow: {type: webhook, url: "<slow>/", timeout: 60s, max_in_flight: 4}
  good: {type: webhook, url: "<good>/"}
receivers: {all: [slow, good]}
route: {receiver: all}
"""
    async with witnesses_of("slow", "good") as at, town(tmp_path, config, at) as place:
        at["slow"].badly(slowly(SLOW_FOR, at["slow"]))
        names = [f"Alert{number}" for number in range(40)]

        await place.storm(names)
        await place.storm(names[:10], "resolved")
        await place.all_at("good")

        assert len(at["slow"].requests) <= 8  # four answers at most were given while the other had everything
        at["slow"].behave()
        await place.all_at("slow", within=30 + SLOW_FOR)
        for name in ("slow", "good"):
            assert max(at[name].copies().values()) == 1
            assert at[name].disorder() == []


class Sink:
    """Receivers of many channels on one port, by path. `arrived` is when each alert came to a path, in seconds."""

    def __init__(self) -> None:
        self.arrived: dict[str, dict[str, float]] = {}
        self.hole = ""
        self.port = 0
        self._never = asyncio.Event()

    async def answer(self, request: web.BaseRequest) -> web.Response:
        body = await request.read()
        if request.path == self.hole:
            await self._never.wait()
        now = time.monotonic()
        there = self.arrived.setdefault(request.path, {})
        for alert in json.loads(body)["alerts"]:
            there[alert["labels"]["alertname"]] = now
        return web.Response()

    def count(self) -> int:
        return sum(map(len, self.arrived.values()))


@asynccontextmanager
async def sink() -> AsyncIterator[Sink]:
    found = Sink()
    runner = web.ServerRunner(web.Server(found.answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    try:
        yield found
    finally:
        await runner.cleanup()


class Figures(Struct):
    """`grown` is the memory added since the start in KiB, `p99` of accepted to received at the good channels, in ms."""

    grown: int
    p99: float
    delivered: int


def config() -> str:
    names = [f"c{number}" for number in range(CHANNELS)]
    channels = "".join(f"  {name}: {{type: webhook, url: 'http://127.0.0.1:SINK/{name}'}}\n" for name in names)
    receivers = "".join(f"  r{number}: [c{number}, c0]\n" for number in range(1, CHANNELS))
    routes = "".join(f"    - {{receiver: r{n}, matchers: ['team=\"{n}\"']}}\n" for n in range(1, CHANNELS))
    return (
        f"{HEAD}channels:\n{channels}receivers:\n{receivers}"
        f"route:\n  receiver: c1\n  group_by: [alertname]\n  routes:\n{routes}"
    )  # fmt: skip


def batch(first: int) -> bytes:
    alerts = [
        {
            "status": "firing", "labels": {"alertname": f"Alert{n}", "team": str(1 + n % (CHANNELS - 1))},
            "annotations": {"summary": "something is wrong"}, "startsAt": "2026-03-01T12:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
        }
        for n in range(first, first + TOGETHER)
    ]  # fmt: skip
    return json.dumps(
        {"version": "4", "receiver": "r", "status": "firing", "alerts": alerts, "groupLabels": {}}
    ).encode()


def memory(bridge: BridgeProcess) -> int:
    text = Path(f"/proc/{bridge.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0])


async def insist(session: aiohttp.ClientSession, bridge: BridgeProcess, body: bytes) -> None:
    """Post until it is accepted."""
    headers = {"Content-Type": "application/json"}
    async with session.post(f"{bridge.url}/webhook", data=body, headers=headers) as answer:
        if answer.status == 200:
            return
    await asyncio.sleep(1)
    await insist(session, bridge, body)


async def run(folder: Path, *, hole: bool) -> Figures:
    """Everything goes to one of nineteen good channels, and to c0, which is a black hole or not."""
    async with sink() as there:
        with bridge_of(folder, config().replace("SINK", str(there.port)), start=False) as bridge:
            await asyncio.to_thread(bridge.start)
            before = memory(bridge)
            there.hole = "/c0" if hole else ""
            accepted: dict[str, float] = {}
            async with aiohttp.ClientSession() as session:
                for first in range(0, BACKLOG, TOGETHER):
                    await insist(session, bridge, batch(first))
                    now = time.monotonic()
                    accepted |= {f"Alert{n}": now for n in range(first, first + TOGETHER)}
                    await asyncio.sleep(0.05)
            copies = 1 if hole else 2
            await eventually(lambda: there.count() >= len(accepted) * copies, within=60 + BACKLOG / 50)
            took = sorted(
                at - accepted[name]
                for path, names in there.arrived.items() if path != "/c0" for name, at in names.items()
            )  # fmt: skip
            assert len(took) == len(accepted)
            return Figures(memory(bridge) - before, 1000 * took[int(len(took) * 0.99)], there.count())


async def test_one_black_hole_among_twenty_channels_costs_the_others_nothing_and_little_memory(tmp_path: Path) -> None:
    for name in ("healthy", "hole"):
        (tmp_path / name).mkdir()
    healthy = await run(tmp_path / "healthy", hole=False)
    hole = await run(tmp_path / "hole", hole=True)

    sys.stderr.write(
        f"{BACKLOG} alerts, {CHANNELS} channels. All well: +{healthy.grown} KiB, p99 {healthy.p99:.1f} ms;"
        f" one a black hole: +{hole.grown} KiB, p99 {hole.p99:.1f} ms\n"
    )
    assert hole.delivered == BACKLOG  # all that was not for the hole
    assert hole.grown - healthy.grown <= GROWTH
