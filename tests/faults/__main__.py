"""`make faults`: the long runs, by seed and size, with a result that machines can read.

`python -m tests.faults` obeys FAULTS_SEED, QUICK=1 (under five minutes), N (a factor for the long form), ONLY (a part of a
name), FAULTS_JSON (where the result goes). Exit 1 if anything did not hold. The pytest suite `tests/faults` holds the
directed cases; what is here is the same code, longer.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from tests.faults import kills, power, replicas
from tests.faults.replicas import Deed
from tests.postgres import Cluster

SEED = int(os.environ.get("FAULTS_SEED", "1"))
QUICK = os.environ.get("QUICK", "") not in {"", "0"}
N = float(os.environ.get("N", "1"))


class Result(msgspec.Struct):
    """One check: what was done how often, what it gave, and what did not hold."""

    name: str
    times: int
    seconds: float = 0.0
    figures: dict[str, float] = {}
    problems: list[str] = []


Check = Callable[[Path, int], Result]


def _times(quick: int, long: int) -> int:
    return quick if QUICK else max(1, int(long * N))


def _kills(kind: kills.Kind) -> Check:
    def check(folder: Path, times: int) -> Result:
        ran = kills.run(folder, kind, times, SEED)
        verdict = ran.verdict
        figures = {
            "accepted": verdict.accepted, "lost": verdict.lost, "duplicated": verdict.duplicated,
            "most_per_kill": verdict.most_per_kill, "lost_at_most_95": 3 / max(1, verdict.accepted),
            "ready_p50": ran.ready_p50, "ready_max": ran.ready_max,
        }  # fmt: skip
        return Result(kind.name, times, figures=figures, problems=ran.problems)

    return check


def _judged(name: str, times: int, ran: replicas.Ran) -> Result:
    verdict = ran.verdict
    figures = {
        "accepted": verdict.accepted, "lost": verdict.lost, "duplicated": verdict.duplicated,
        "most_per_kill": verdict.most_per_kill, "took_over": ran.took_over,
    }  # fmt: skip
    return Result(name, times, figures=figures, problems=ran.problems)


def _replicas(name: str, deed: Callable[[Cluster], Deed]) -> Check:
    def check(folder: Path, times: int) -> Result:
        with _cluster() as cluster:
            url = cluster.dsn(cluster.create())
            return _judged(name, times, replicas.run(folder, url, deed(cluster), times, SEED))

    return check


def _failover(folder: Path, times: int) -> Result:
    with replicas.pair(synchronous=True) as (servers, url):
        return _judged("failover-synchronous", times, replicas.run(folder, url, servers.fail_over, times, SEED))


def _gap(folder: Path, times: int) -> Result:
    """What an asynchronous standby did not have is gone: the judge must say so."""
    with replicas.pair(synchronous=False) as (servers, url):
        result = _judged(
            "failover-asynchronous", times, replicas.run(folder, url, servers.fail_over, times, SEED, settle=3.0)
        )
    result.problems = [] if result.figures["lost"] else ["the gap was not reported"]
    return result


def _power(folder: Path, times: int) -> Result:
    found = power.rebuild(power.trace(folder, max(20, times // 100)), SEED, times)
    problems = [f"{found.lost} states lost an answered request"] if found.lost else []
    problems += [f"{found.corrupt} states were damaged"] if found.corrupt else []
    figures = {"states": found.states, "answered": found.answered, "lost": found.lost, "corrupt": found.corrupt}
    return Result("power-loss", times, figures=figures, problems=problems)


def _weak(folder: Path, times: int) -> Result:
    """The same with a weaker sync must fail, or the check above proves nothing."""
    found = power.rebuild(power.trace(folder, 20, weak=True), SEED, times)
    problems = [] if found.lost else ["synchronous = NORMAL was not found out"]
    return Result(
        "power-loss-self-test", times, figures={"states": found.states, "lost": found.lost}, problems=problems
    )


@contextmanager
def _cluster() -> Iterator[Cluster]:
    cluster = Cluster.made(durable=True)
    try:
        yield cluster
    finally:
        cluster.remove()


CHECKS: tuple[tuple[str, Check, int], ...] = (
    *((kind.name, _kills(kind), _times(12, 340)) for kind in kills.KINDS),
    ("power-loss", _power, _times(400, 12_000)),
    ("power-loss-self-test", _weak, _times(100, 400)),
    ("replica-kill", _replicas("replica-kill", lambda _cluster: replicas.kill), _times(5, 200)),
    ("replica-suspend", _replicas("replica-suspend", lambda _cluster: replicas.suspend), _times(2, 50)),
    ("replica-replace", _replicas("replica-replace", lambda _cluster: replicas.replace), _times(2, 20)),
    ("server-restart", _replicas("server-restart", replicas.restart_of), _times(3, 30)),
    ("failover-synchronous", _failover, _times(2, 50)),
    ("failover-asynchronous", _gap, _times(1, 2)),
)


def main() -> int:
    """Run every check; 1 if one of them found something."""
    sys.stderr.write(f"FAULTS_SEED={SEED}\n")
    results = [_run(name, check, times) for name, check, times in CHECKS if os.environ.get("ONLY", "") in name]
    table = Table("check", "times", "seconds", "figures", "holds")
    for result in results:
        figures = ", ".join(f"{name} {value:g}" for name, value in result.figures.items())
        table.add_row(
            result.name, str(result.times), f"{result.seconds:.0f}", figures, "; ".join(result.problems) or "yes"
        )
    Console().print(table)
    if path := os.environ.get("FAULTS_JSON"):
        document = {"seed": SEED, "quick": QUICK, "n": N, "results": results}
        Path(path).write_bytes(msgspec.json.encode(document))
    return int(any(result.problems for result in results))


def _run(name: str, check: Check, times: int) -> Result:
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as place:
        try:
            result = check(Path(place), times)
        except Exception:  # noqa: BLE001 - one check that cannot run must not hide the others
            result = Result(name, times, problems=[traceback.format_exc(limit=3)])
    result.seconds = time.monotonic() - started
    sys.stderr.write(f"{name}: {'; '.join(result.problems) or 'holds'} ({result.seconds:.0f} s)\n")
    return result


if __name__ == "__main__":
    sys.exit(main())
