"""A crash point at which the process is stopped instead of killed, so that its server can die at that very moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace

from tests.faults.bugs import bug
from tests.faults.forks import QuickBridge

STOPS = "stops-at-its-point"


@bug
def stops_at_its_point() -> None:
    """No bug: the armed crash point is a SIGSTOP."""
    from bridge.domain import crashpoint

    crashpoint.signal = SimpleNamespace(SIGKILL=signal.SIGSTOP)  # type: ignore[assignment]


def stopped(bridge: QuickBridge, within: float) -> bool:
    """Wait until it is stopped; False if it ends instead, or goes on for too long."""
    end = time.monotonic() + within
    while bridge.running and time.monotonic() < end:
        if _state(bridge.pid) == "T":
            return True
        time.sleep(0.005)
    return False


def resume(bridge: QuickBridge) -> None:
    os.kill(bridge.pid, signal.SIGCONT)


def _state(pid: int) -> str:
    """As `ps` has it; empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
