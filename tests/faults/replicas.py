"""Replicas that are killed, stopped and continued, replaced; a server that restarts, dies, and is followed by its standby."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from tests.faults.fleet import Fleet, fleet
from tests.faults.judge import Verdict
from tests.faults.kills import IN_FLIGHT, problems_of
from tests.faults.oracle_process import oracle
from tests.postgres import Cluster
from tests.tcp_proxy import TcpProxy

LEASE = 12.0
"""Seconds after which another bridge takes over."""

Deed = Callable[[Fleet, random.Random], None]


class Ran(msgspec.Struct):
    """What a run gave; `took_over` is the longest time (seconds) from the end of the load to the last delivery."""

    verdict: Verdict
    times: int
    seconds: float
    took_over: float
    problems: list[str]


def run(folder: Path, url: str, deed: Deed, times: int, seed: int, *, planted: str = "", settle: float = 60.0) -> Ran:
    """Do something so many times to a fleet of three under load, then let it finish, and judge."""
    rng = random.Random(seed)
    begun = time.monotonic()
    with oracle(folder) as watcher, fleet(folder, url, watcher, planted=planted) as running:
        watcher.load(running.urls, connections=12, resolve=0.2, repeat=0.1, pause=0.01, seed=seed)
        for _time in range(times):
            time.sleep(rng.uniform(0.1, 0.8))
            deed(running, rng)
        watcher.accepted(times)  # a slow machine has done less by now
        watcher.stop()
        waited = time.monotonic()
        watcher.drained(settle)
        took_over = time.monotonic() - waited
        problems = running.finish()
        verdict = watcher.verdict()
    problems += problems_of(verdict, IN_FLIGHT * 3)
    if verdict.accepted < times:
        problems.append(f"only {verdict.accepted} accepted: the load did not run")
    return Ran(verdict, times, time.monotonic() - begun, took_over, problems)


def kill(running: Fleet, rng: random.Random) -> None:
    running.kill(rng)


def suspend(running: Fleet, rng: random.Random) -> None:
    """Mostly longer than a lease, sometimes only for a moment."""
    running.suspend(rng, rng.choice((0.3, LEASE + 1, LEASE + 2)))


def replace(running: Fleet, _rng: random.Random) -> None:
    running.replace_one_by_one()


def restart_of(cluster: Cluster) -> Deed:
    """The server restarts, by turns politely and as after a crash."""

    def deed(running: Fleet, rng: random.Random) -> None:
        begun = time.monotonic_ns()
        cluster.restart(rng.choice(("fast", "immediate")))
        running.watcher.killed(begun, time.monotonic_ns())

    return deed


class Pair:
    """A primary and its standby behind one address, which follows whichever takes writes."""

    def __init__(self, primary: Cluster, standby: Cluster, proxy: TcpProxy, *, synchronous: bool) -> None:
        self.primary = primary
        self.standby = standby
        self._proxy = proxy
        self._synchronous = synchronous

    def fail_over(self, running: Fleet, _rng: random.Random) -> None:
        """The primary dies without a word, the standby takes its place, and gets a standby of its own."""
        begun = time.monotonic_ns()
        if not self._synchronous:  # it falls behind, as a standby may that nobody waits for
            self.standby.configure(primary_conninfo="")
            self.standby.reload()
            time.sleep(1.0)
        self.primary.kill()
        self.standby.promote()
        self._proxy.retarget("127.0.0.1", self.standby.port)
        running.watcher.killed(begun, time.monotonic_ns())
        self.primary.remove()
        self.primary, self.standby = self.standby, self.standby.standby_of(synchronous=self._synchronous, durable=True)

    def remove(self) -> None:
        for cluster in (self.primary, self.standby):
            cluster.remove()


@contextmanager
def pair(*, synchronous: bool) -> Iterator[tuple[Pair, str]]:
    """A running pair with an empty database; and its address."""
    primary = Cluster.made(durable=True)
    standby = primary.standby_of(synchronous=synchronous, durable=True)
    with _proxy(primary.port) as proxy:
        found = Pair(primary, standby, proxy, synchronous=synchronous)
        try:
            yield found, primary.dsn(primary.create(), proxy.port)
        finally:
            found.remove()


@contextmanager
def _proxy(port: int) -> Iterator[TcpProxy]:
    """A proxy on an event loop in a thread of its own."""
    loop = asyncio.new_event_loop()
    proxy = TcpProxy("127.0.0.1", port)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(proxy.start(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
