"""A disk that fails: an error at each sync and each write, once or from then on, while the bridge works.

A sync that failed may not be tried again (the kernel has dropped the pages), so the process must end, and whoever supervises it
starts it anew. A disk without room is another matter: requests are refused, and all goes on when there is room again.
"""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from tests.faults.kills import finished, problems_of
from tests.faults.oracle_process import OracleProcess, oracle
from tests.faults.traced import TracedBridge, attached
from tests.running_bridge import free_port

_WITHIN = 60.0


class Fault(msgspec.Struct, frozen=True):
    """`error` at the `nth` passing of a call, and if it stays at all that follow; `ends` says whether the process must end."""

    call: str
    error: str
    nth: int
    stays: bool
    ends: bool

    @property
    def option(self) -> str:
        return f"inject={self.call}:error={self.error}:when={self.nth}{'+' if self.stays else ''}"

    def __str__(self) -> str:
        return f"{self.error} at {self.call} {self.nth}{' and after' if self.stays else ''}"


class Failed(msgspec.Struct):
    """What a run gave. `recovery_max` is the longest time (s) from room on the disk to the next accepted request."""

    faults: int = 0
    injected: int = 0
    ended: int = 0
    accepted: int = 0
    lost: int = 0
    recovery_max: float = 0.0
    problems: list[str] = []


def at_work(number: int) -> list[Fault]:
    """So many faults at syncs, and a third as many at writes."""
    faults = [Fault("fdatasync", "EIO", nth, nth % 3 == 0, ends=True) for nth in range(1, number + 1)]
    faults += [Fault("pwrite64", "EIO", 1 + 7 * nth, stays=False, ends=True) for nth in range(number // 6 + 1)]
    faults += [Fault("pwrite64", "ENOSPC", 1 + 5 * nth, nth % 2 == 0, ends=False) for nth in range(number // 6 + 2)]
    return faults


def run(folder: Path, faults: list[Fault], starts: int, planted: str = "", within: float = _WITHIN) -> Failed:
    """One fault after the other on one database under load, then `starts` starts that meet one; then judge.

    `within` so many seconds a fault has done what it is to do.
    """
    found = Failed()
    with oracle(folder) as watcher:
        bugs = ",".join(filter(None, ("traceable", "checkpoint-often", planted)))
        bridge = TracedBridge(folder, free_port(), watcher.url, bugs)
        bridge.start()
        for fault in faults:
            found.problems += [f"{fault}: {problem}" for problem in _suffer(bridge, watcher, fault, found, within)]
        if not watcher.drained(30):
            found.problems.append("not everything was delivered in 30 s")
        found.problems += finished(bridge)
        verdict = watcher.verdict()
        found.accepted, found.lost = verdict.accepted, verdict.lost
        found.problems += problems_of(verdict, per_kill=32)
    for nth in range(1, starts + 1):
        found.problems += [
            f"start with EIO at sync {nth}: {problem}" for problem in _start(folder / f"start{nth}", nth, found)
        ]
    return found


def _suffer(bridge: TracedBridge, watcher: OracleProcess, fault: Fault, found: Failed, within: float) -> list[str]:
    """Inject one fault under load; what was wrong. The bridge runs at the end."""
    found.faults += 1
    log = bridge.folder / "injected"
    before = watcher.counts()["accepted"]
    begun = time.monotonic_ns()
    problems: list[str] = []
    with attached(bridge, log, fault.option) as strace:
        watcher.load([bridge.url], connections=4)
        end = time.monotonic() + within
        while bridge.running and time.monotonic() < end and not (_hits(log) and not fault.ends):
            time.sleep(0.01)
        if not fault.ends:
            time.sleep(0.1)
        strace.terminate()
        strace.wait(30)
    hits = _hits(log)
    found.injected += hits
    found.ended += not bridge.running
    if not hits:
        problems.append("it was never met")
    if fault.ends:
        problems += [] if not bridge.running else ["the process went on as if nothing had happened"]
    elif not bridge.running:
        problems.append("the process ended")
    else:
        found.recovery_max = max(found.recovery_max, _recovers(watcher, problems))
    if not bridge.running:
        watcher.killed(begun, time.monotonic_ns())
        bridge.start()
        if not watcher.accepted(before + 1, 60):
            problems.append("nothing is accepted after the restart")
    watcher.stop()
    return problems


def _recovers(watcher: OracleProcess, problems: list[str]) -> float:
    begun = time.monotonic()
    if not watcher.accepted(watcher.counts()["accepted"] + 1, 60):
        problems.append("nothing is accepted though there is room again")
    return time.monotonic() - begun


def _start(folder: Path, nth: int, found: Failed) -> list[str]:
    """A first start that meets an error at its nth sync: it refuses or serves, and the next one serves."""
    found.faults += 1
    with oracle(folder) as watcher:
        bridge = TracedBridge(folder, free_port(), watcher.url)
        options = ("-e", "trace=fdatasync,fsync", "-e", f"inject=fdatasync,fsync:error=EIO:when={nth}")
        bridge.start_traced(folder / "injected", *options, ready=False)
        end = time.monotonic() + _WITHIN
        while bridge.running and not bridge.is_ready() and time.monotonic() < end:
            time.sleep(0.02)
        if bridge.running:
            watcher.post(bridge.url, 1)
            time.sleep(0.2)
        bridge.end()
        found.injected += _hits(folder / "injected")
        bridge.start()
        while watcher.post(bridge.url, 1) != 200 and time.monotonic() < end + 10:
            time.sleep(0.02)
        problems = [] if watcher.drained(10) else ["not everything was delivered"]
        return problems + finished(bridge) + problems_of(watcher.verdict(), per_kill=1)


def _hits(log: Path) -> int:
    return log.read_text(errors="replace").count("(INJECTED)") if log.exists() else 0
