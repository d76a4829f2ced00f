"""Random SIGKILLs under load: what was accepted is delivered, and what is told twice was in flight at a kill."""

from __future__ import annotations

import random
import time
from pathlib import Path

import msgspec

from tests.faults.forks import QuickBridge
from tests.faults.judge import Verdict
from tests.faults.oracle_process import OracleProcess, oracle
from tests.running_bridge import free_port

IN_FLIGHT = 32
"""The channel's `max_in_flight`: what a kill can leave without a recorded outcome."""

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "URL"}
log: {level: error}
channels:
  sink: {type: webhook, url: "SINK/"}
route: {receiver: sink, hooks: [dedupe]}
"""


class Kind(msgspec.Struct, frozen=True):
    """A way to run: the load, the receivers' mode, and how long a life lasts (seconds)."""

    name: str
    connections: int
    sink: str = "ok"
    first: int = 0
    resolve: float = 0.0
    repeat: float = 0.0
    life: tuple[float, float] = (0.05, 0.5)
    pause: float = 0.0


HEALTHY = Kind("kill-healthy", connections=16, resolve=0.2, repeat=0.1)
FLAT_OUT = Kind("kill-flat-out", connections=64)
REFUSING = Kind("kill-refusing", connections=8, sink="refuse", first=2, resolve=0.2, pause=0.01)
"""With the last one Alertmanager itself loses most of what it took."""

KINDS = (HEALTHY, FLAT_OUT, REFUSING)


class Killed(msgspec.Struct):
    """What a run gave. `ready_p50` and `ready_max` are seconds from a start to `/-/ready`; `holds` says why not."""

    verdict: Verdict
    kills: int
    ready_p50: float
    ready_max: float
    seconds: float
    problems: list[str]


def run(folder: Path, kind: Kind, kills: int, seed: int, planted: str = "", url: str = "sqlite:bridge.db") -> Killed:
    """Kill a bridge so many times while it works, then let it finish, and judge."""
    rng = random.Random(seed)
    begun = time.monotonic()
    (folder / "routes").mkdir(parents=True)
    with oracle(folder) as watcher:
        bridge = QuickBridge(folder, free_port(), planted=planted)
        text = CONFIG.replace("PORT", str(bridge.port)).replace("SINK", watcher.url).replace("URL", url)
        (folder / "routes" / "main.yml").write_text(text)
        watcher.sink(kind.sink, kind.first)
        bridge.start()
        watcher.load(
            [bridge.url],
            connections=kind.connections,
            resolve=kind.resolve,
            repeat=kind.repeat,
            pause=kind.pause,
            seed=seed,
        )
        starts = [_kill_and_start(bridge, watcher, rng.uniform(*kind.life)) for _kill in range(kills)]
        watcher.accepted(10 * kills)  # a slow machine has done less by now
        watcher.stop()
        watcher.drained(300, stall=8)
        problems = finished(bridge)
        verdict = watcher.verdict()
    problems += problems_of(verdict, IN_FLIGHT)
    if verdict.accepted < 10 * kills:
        problems.append(f"only {verdict.accepted} accepted: the load did not run")
    starts.sort()
    return Killed(verdict, kills, starts[len(starts) // 2], starts[-1], time.monotonic() - begun, problems)


def _kill_and_start(bridge: QuickBridge, watcher: OracleProcess, life: float) -> float:
    """Let it live for a while, kill it, start it; gives the seconds to ready."""
    time.sleep(life)
    begun = time.monotonic_ns()
    bridge.kill()
    watcher.killed(begun, time.monotonic_ns())
    started = time.monotonic()
    bridge.start()
    return time.monotonic() - started


def finished(bridge: QuickBridge) -> list[str]:
    """Stop in order and verify the audit log; what was wrong."""
    problems = []
    if (code := bridge.stop()) != 0:
        problems.append(f"the bridge ended with {code}")
    verified = bridge.command("audit", "verify", "--config", "routes")
    if verified.returncode:
        problems.append(f"audit verify: {verified.stdout[-200:]}{verified.stderr[-300:]}")
    return problems


def problems_of(verdict: Verdict, per_kill: int) -> list[str]:
    """What a verdict has against a run in which each kill may cost so many copies."""
    found = []
    if verdict.lost:
        found.append(f"{verdict.lost} of {verdict.accepted} accepted alerts were lost")
    if verdict.unexplained:
        found.append(f"{verdict.unexplained} told twice without a kill")
    if verdict.most_per_kill > per_kill:
        found.append(f"{verdict.most_per_kill} told twice after one kill, of at most {per_kill} in flight")
    if verdict.out_of_order:
        found.append(f"{verdict.out_of_order} told out of order")
    if verdict.odd:
        found.append(f"{verdict.odd} answers to senders were neither 200 nor 503")
    return found + verdict.examples if found else []
