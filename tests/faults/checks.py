"""The checks that `make faults` runs at length and the pytest suite runs short, and the bugs that each of them must find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults import io_errors, kills, power_loss, replicas, upheavals
from tests.faults.judge import Verdict
from tests.faults.replicas import Deed
from tests.faults.results import Figures, Result
from tests.postgres import Cluster

Run = Callable[[Path, int, int, str], Result]
"""(a folder that is not there yet, how often, seed, bugs to plant) → result."""


class Check(msgspec.Struct, frozen=True):
    """`quick` and `long` say how often; `finds` are the bugs (tests/faults/bugs.py) under which it must not hold, with
    `planted` as how often. `needs` is the marker of the programs it needs.
    """

    name: str
    run: Run
    quick: int
    long: int
    finds: tuple[str, ...] = ()
    planted: int = 0
    needs: str = ""

    def times(self, *, quick: bool, factor: float = 1.0) -> int:
        return self.quick if quick else max(1, int(self.long * factor))


def _figures(verdict: Verdict) -> Figures:
    return {
        "accepted": verdict.accepted, "delivered": verdict.delivered, "lost": verdict.lost,
        "lost_at_most_95": 3 / max(1, verdict.accepted), "duplicated": verdict.duplicated,
        "most_per_kill": verdict.most_per_kill, "out_of_order": verdict.out_of_order,
    }  # fmt: skip


def _kills(kind: kills.Kind) -> Run:
    def run(folder: Path, times: int, seed: int, planted: str) -> Result:
        ran = kills.run(folder, kind, times, seed, planted)
        figures = {"in_flight": kills.IN_FLIGHT, "ready_p50": ran.ready_p50, "ready_max": ran.ready_max}
        return Result({**_figures(ran.verdict), **figures}, ran.problems)

    return run


def _upheavals(folder: Path, times: int, seed: int, planted: str) -> Result:
    ran = upheavals.run(folder, times, seed, planted)
    return Result({**_figures(ran.verdict), **ran.done}, ran.problems)


def _power(folder: Path, times: int, seed: int, planted: str) -> Result:
    found = power_loss.run(folder, max(30, times // 70), seed, times, planted)
    figures = {
        "rebuilt": found.rebuilt, "different": found.different, "acknowledged": found.acknowledged,
        "checkpoints": found.checkpoints, "lost": found.lost, "corrupt": found.corrupt,
    }  # fmt: skip
    return Result(figures, found.problems)


def _errors(folder: Path, times: int, _seed: int, planted: str) -> Result:
    starts = 0 if planted else max(1, times // 8)
    found = io_errors.run(folder, io_errors.at_work(times), starts, planted)
    figures = {
        "faults": found.faults, "injected": found.injected, "ended": found.ended, "accepted": found.accepted,
        "lost": found.lost, "recovery_max": found.recovery_max,
    }  # fmt: skip
    return Result(figures, found.problems)


def _judged(ran: replicas.Ran) -> Result:
    return Result({**_figures(ran.verdict), "took_over": ran.took_over}, ran.problems)


def _replicas(deed: Callable[[Cluster], Deed]) -> Run:
    def run(folder: Path, times: int, seed: int, planted: str) -> Result:
        cluster = Cluster.made(durable=True)
        try:
            url = cluster.dsn(cluster.create())
            settle = 15.0 if planted else 60.0  # longer than a lease; what is lost by then is lost
            return _judged(replicas.run(folder, url, deed(cluster), times, seed, planted=planted, settle=settle))
        finally:
            cluster.remove()

    return run


def _promotions(folder: Path, times: int, seed: int, planted: str) -> Result:
    """`a-standby-nobody-waits-for` is planted in the server: its standby lags, and what it lacks must be reported."""
    waits = planted != "a-standby-nobody-waits-for"
    with replicas.pair(synchronous=waits) as (servers, url):
        settle, bug = (60.0, planted) if waits else (3.0, "")
        return _judged(replicas.run(folder, url, servers.fail_over, times, seed, planted=bug, settle=settle))


CHECKS = (
    Check(
        "kill-healthy", _kills(kills.HEALTHY), 12, 340, planted=12,
        finds=("acknowledge-before-commit", "loses-a-delivery", "forgets-at-the-start", "outcomes-are-forgotten", "a-record-is-missing", "the-old-follows-the-new"),
    ),
    Check("kill-flat-out", _kills(kills.FLAT_OUT), 12, 340, planted=6, finds=("acknowledge-before-commit",)),
    Check("kill-refusing", _kills(kills.REFUSING), 8, 340, planted=5, finds=("refused-counts-as-told",)),
    Check(
        "upheavals", _upheavals, 3, 60, planted=2, finds=("a-stop-drops-what-waits", "a-reload-drops-what-waits"),
    ),
    Check(
        "power-loss", _power, 400, 12_000, planted=200, needs="strace",
        finds=("synchronous-normal", "checkpoint-without-sync"),
    ),
    Check(
        "disk-errors", _errors, 5, 120, planted=1, needs="strace", finds=("failed-sync-is-busy", "full-disk-is-fatal"),
    ),
    Check(
        "replica-kill", _replicas(lambda _cluster: replicas.kill), 4, 200, planted=3, needs="postgres",
        finds=("leases-are-for-good", "loses-a-delivery"),
    ),
    Check(
        "replica-suspend", _replicas(lambda _cluster: replicas.suspend), 2, 50, planted=1, needs="postgres",
        finds=("leases-hold-nobody-off",),
    ),
    Check(
        "replica-replace", _replicas(lambda _cluster: replicas.replace), 2, 20, planted=1, needs="postgres",
        finds=("a-stop-drops-what-waits",),
    ),
    Check(
        "server-restart", _replicas(replicas.restart_of), 3, 30, planted=2, needs="postgres",
        finds=("acknowledge-before-commit",),
    ),
    Check("promotion", _promotions, 2, 50, planted=1, needs="postgres", finds=("a-standby-nobody-waits-for",)),
)  # fmt: skip
"""In the order they run."""
