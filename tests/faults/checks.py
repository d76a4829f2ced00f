"""The checks that `make faults` runs at length and the pytest suite runs short, and the bugs that each of them must find."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults import crash_points, crash_scenarios, io_errors, kills, power_loss
from tests.faults.oracle_process import oracle

Figures = dict[str, float]


class Result(msgspec.Struct):
    """What a check gave: figures, and what did not hold."""

    figures: Figures
    problems: list[str]


Run = Callable[[Path, int, int, str], Result]
"""(a folder that is not there yet, how often, seed, bugs to plant) → result."""


class Check(msgspec.Struct, frozen=True):
    """`quick` and `long` say how often; `finds` are bugs (tests/faults/bugs.py) under which it must not hold.

    `alone`: it measures time. `needs` is the marker of the programs it needs.
    """

    name: str
    run: Run
    quick: int
    long: int
    finds: tuple[str, ...] = ()
    planted: int = 0
    alone: bool = False
    needs: str = ""

    def times(self, *, quick: bool, factor: float = 1.0) -> int:
        return self.quick if quick else max(1, int(self.long * factor))


def _kills(kind: kills.Kind) -> Run:
    def run(folder: Path, times: int, seed: int, planted: str) -> Result:
        ran = kills.run(folder, kind, times, seed, planted)
        verdict = ran.verdict
        figures = {
            "accepted": verdict.accepted, "delivered": verdict.delivered, "lost": verdict.lost,
            "lost_at_most_95": 3 / max(1, verdict.accepted), "duplicated": verdict.duplicated,
            "most_per_kill": verdict.most_per_kill, "in_flight": kills.IN_FLIGHT, "out_of_order": verdict.out_of_order,
            "ready_p50": ran.ready_p50, "ready_max": ran.ready_max,
        }  # fmt: skip
        return Result(figures, ran.problems)

    return run


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


def _crash_points(folder: Path, times: int, _seed: int, planted: str) -> Result:
    """Every scenario so many times, each way its receiver may behave."""
    problems, died = [], 0
    for number in range(times):
        for scenario in crash_points.TABLE:
            for sink in scenario.sinks if "sqlite" in scenario.databases else ():
                died += 1
                place = folder / f"{scenario.point}{scenario.title}{sink}{number}"
                with oracle(place) as watcher:
                    found = crash_scenarios.run(place, scenario, sink, watcher, "sqlite:bridge.db", planted)
                problems += [f"{scenario.point} {sink}: {problem}" for problem in found]
    return Result({"died": died, "points": len({scenario.point for scenario in crash_points.TABLE})}, problems)


CHECKS = (
    Check(
        "kill-healthy", _kills(kills.HEALTHY), 12, 340, planted=12,
        finds=("acknowledge-before-commit", "loses-a-delivery", "forgets-at-the-start", "outcomes-are-forgotten", "a-record-is-missing"),
    ),
    Check("kill-flat-out", _kills(kills.FLAT_OUT), 12, 340, planted=6, finds=("acknowledge-before-commit",)),
    Check("kill-refusing", _kills(kills.REFUSING), 8, 340, planted=4, finds=("refused-counts-as-told", "newest-first")),
    Check(
        "power-loss", _power, 400, 12_000, planted=200, needs="strace",
        finds=("synchronous-normal", "checkpoint-without-sync"),
    ),
    Check(
        "disk-errors", _errors, 5, 120, planted=2, needs="strace", finds=("failed-sync-is-busy", "full-disk-is-fatal"),
    ),
)  # fmt: skip
"""By name, those that measure time first."""
