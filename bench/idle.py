"""What open incidents cost while nothing happens."""

from __future__ import annotations

import time
from pathlib import Path

from bench import fill
from bench.lines import Line, line
from bench.processes import WEBHOOK, bridge, cpu_seconds
from tests.running_bridge import BridgeProcess

INCIDENTS = 10_000
SECONDS = 60
SETTLES = 10
"""Seconds until a bridge that has started is at rest."""


def idle(folder: Path, _count_of_alerts: int) -> list[Line]:
    """CPU of a bridge with 10,000 open incidents, each with steps to take later today, and of one with none, side by side."""
    fill.waiting(folder / "full", INCIDENTS)
    channel = WEBHOOK % "http://127.0.0.1:9/"
    with bridge(folder / "full", channel) as full, bridge(folder / "empty", channel) as empty:
        time.sleep(SETTLES)
        before = _used(full), _used(empty)
        time.sleep(SECONDS)
        ours, theirs = _used(full) - before[0], _used(empty) - before[1]
    return [
        line("idle", f"CPU idle with {INCIDENTS:,} open incidents and {INCIDENTS * 3:,} steps to take, beside none",
             1000 * ours / SECONDS, "ms/s", beside=1000 * theirs / SECONDS, most=1.2),
    ]  # fmt: skip


def _used(running: BridgeProcess) -> float:
    return cpu_seconds(running.pid)
