"""Every crash point as cases: on which database, how the receiver behaves, who dies. And how many run at a time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import msgspec

from tests.faults.crash_points import TABLE
from tests.faults.crash_scenarios import Scenario, run
from tests.faults.fates import Fate, Gathering, OfServer, bridge_dies
from tests.faults.oracle_process import oracle
from tests.postgres import Cluster

_AT_A_TIME = 8
_TOGETHER = 12


class Case(msgspec.Struct, frozen=True):
    """`dies` is `bridge`, `server` or `both`. `planted` is a bug with which it must go wrong."""

    scenario: Scenario
    sink: str
    database: str
    dies: str = "bridge"
    planted: str = ""

    def __str__(self) -> str:
        about = (self.scenario.point, self.scenario.title, self.sink, self.database, self.dies, self.planted)
        return "-".join(filter(None, about)).replace(" ", "_")


def _cases() -> list[Case]:
    found = [
        Case(scenario, sink, database)
        for scenario in TABLE
        for database in scenario.databases
        for sink in scenario.sinks
    ]
    return found + [
        Case(scenario, scenario.sinks[0], "postgresql", dies)
        for dies in ("both", "server")
        for scenario in TABLE
        if scenario.servers_death
    ]


def _planted(bug: str, point: str, database: str = "sqlite", dies: str = "bridge") -> Case:
    scenario = next(scenario for scenario in TABLE if scenario.point == point)
    return Case(scenario, scenario.sinks[0], database, dies, bug)


CASES = _cases()
_LOST = "accepted alerts were lost"
PLANTED = {
    _planted("acknowledge-before-commit", "ingest.before_commit"): _LOST,
    _planted("acknowledge-before-commit", "ingest.before_commit", "postgresql"): _LOST,
    _planted("acknowledge-before-commit", "ingest.before_commit", "postgresql", "server"): _LOST,
    _planted("forgets-at-the-start", "outbox.after_claim"): _LOST,
    _planted("told-before-it-is-sent", "send.before_connect"): _LOST,
    _planted("outcomes-are-forgotten", "ack.before_commit"): "told twice after one kill, of at most 0",
    _planted("loses-a-delivery", "wal.checkpoint"): _LOST,
    _planted("a-record-is-missing", "wal.checkpoint"): "audit verify",
}
"""Cases with a bug planted, and what must be said of each."""


class Runs:
    """Runs cases beside each other, on clusters of its own. Those whose server dies go in groups, one group at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names = itertools.count(1)
        self._clusters: dict[bool, Cluster] = {}
        self._alone = ThreadPoolExecutor(_AT_A_TIME)
        self._together = ThreadPoolExecutor(_TOGETHER)

    def start(self, cases: Sequence[Case]) -> dict[Case, Future[list[str]]]:
        """Begin; gives what will have been wrong with each."""
        quick = [case for case in cases if case.dies == "bridge"]
        shared = [case for case in cases if case.dies != "bridge"]
        if any(case.database == "postgresql" for case in quick):
            self._clusters[False] = Cluster.made()
        if shared:
            self._clusters[True] = Cluster.made(durable=True)
        found = {case: self._alone.submit(self._run, case, bridge_dies) for case in quick}
        before: list[Future[list[str]]] = []
        for group in _groups(shared):
            gathering = Gathering(lambda: self._clusters[True].restart("immediate"), len(group))
            before = [self._together.submit(self._run_after, list(before), case, gathering) for case in group]
            found |= dict(zip(group, before, strict=True))
        return found

    def close(self) -> None:
        for pool in (self._alone, self._together):
            pool.shutdown(cancel_futures=True)
        for cluster in self._clusters.values():
            cluster.remove()

    def _run_after(self, before: Sequence[Future[list[str]]], case: Case, gathering: Gathering) -> list[str]:
        """A group begins when the one before is done, so that its server does not die in the middle of it."""
        for future in before:
            future.exception()
        fate = OfServer(gathering, both=case.dies == "both")
        try:
            return self._run(case, fate)
        finally:
            fate.leave()

    def _run(self, case: Case, fate: Fate) -> list[str]:
        place = self._folder / str(next(self._names))
        with oracle(place) as watcher:
            url = "sqlite:bridge.db"
            if case.database == "postgresql":
                cluster = self._clusters[case.dies != "bridge"]
                url = cluster.dsn(cluster.create())
            return run(place, case.scenario, case.sink, watcher, url, case.planted, fate)


def _groups(cases: Sequence[Case]) -> list[list[Case]]:
    """Those that come late to their point are in groups of their own: a bridge must not stand still for them."""
    late = [case for case in cases if case.scenario.point == "lease.renew"]
    early = [case for case in cases if case not in late]
    return [group[start : start + _TOGETHER] for group in (early, late) for start in range(0, len(group), _TOGETHER)]
