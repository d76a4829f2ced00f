"""Webhook in, commit, webhook out, outcome committed, as fast as it goes: the bridge on SQLite and on PostgreSQL, and Alertmanager."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.lines import Figures, Line, line, median, ratio
from bench.processes import WEBHOOK, Server, Sink, alertmanager, bridge, bridges, cpu_seconds, load, server, sink

ROUNDS = 3
_OUTCOMES = 0.5
"""Seconds for the outcomes of the last ones."""


def through(
    urls: Sequence[str],
    receiver: Sink,
    count: int,
    costs: dict[str, Callable[[], float]],
    *,
    api: bool = False,
    concurrency: int = 64,
) -> Figures:
    """Warm up with a tenth, then post `count`: deliveries a second, accepts a second, and the CPU (ms) of each cost a delivery."""
    known = receiver.tally()["distinct"]
    load(*urls, count=count // 10, api=api)
    receiver.wait(int(known) + count // 10)
    time.sleep(_OUTCOMES)
    before, start = {name: cost() for name, cost in costs.items()}, time.time()
    posted = load(*urls, count=count, api=api, concurrency=concurrency)
    last = receiver.wait(int(known) + count + count // 10)
    time.sleep(_OUTCOMES)
    spent = {name: (cost() - before[name]) * 1000 / count for name, cost in costs.items()}
    return {
        "per_second": count / (last - start),
        "accepted_per_second": posted["per_second"],
        "load_ms": posted["cpu_ms"],
        **spent,
        "cpu_ms": sum(spent.values()),
    }


def on_sqlite(folder: Path, count: int) -> Figures:
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        return through([f"{running.url}/webhook"], receiver, count, {"bridge_ms": lambda: cpu_seconds(running.pid)})


def on_postgres(
    folder: Path, count: int, database: Server, url: str, *, number: int = 1, concurrency: int = 64
) -> Figures:
    """Through so many replicas; `bridge_ms` is theirs together."""
    with sink() as receiver, bridges(folder, WEBHOOK % receiver.url, number, url) as running:
        costs = {
            "bridge_ms": lambda: sum(cpu_seconds(one.pid) for one in running),
            "server_ms": database.cpu_seconds,
        }
        urls = [f"{one.url}/webhook" for one in running]
        return through(urls, receiver, count, costs, concurrency=concurrency)


def through_alertmanager(folder: Path, count: int) -> Figures:
    """The same alerts over its API v2, one notification each."""
    with sink() as receiver, alertmanager(folder, receiver.url) as (url, pid):
        return through([url], receiver, count, {"bridge_ms": lambda: cpu_seconds(pid)}, api=True)


def flat_out(folder: Path, count: int) -> list[Line]:
    ours, shared, theirs = [], [], []
    with server() as database:
        for turn in range(ROUNDS):  # in turn, so that a machine that slows down slows all
            theirs.append(through_alertmanager(folder / f"a{turn}", count))
            ours.append(on_sqlite(folder / f"s{turn}", count))
            shared.append(on_postgres(folder / f"p{turn}", count, database, database.database()))
    here, there, beside = median(ours), median(shared), median(theirs)
    on_file, on_server = list(zip(ours, theirs, strict=True)), list(zip(shared, theirs, strict=True))
    at = {"beside": beside["cpu_ms"]}
    speed = {"beside": beside["per_second"]}
    return [
        line("flat", "CPU a delivery, SQLite, beside Alertmanager", here["cpu_ms"], "ms", **at, ratio=ratio(on_file, "cpu_ms"), most=1.0),
        line("flat", "CPU a delivery, PostgreSQL with its server, beside Alertmanager", there["cpu_ms"], "ms", **at, ratio=ratio(on_server, "cpu_ms"), most=1.4),
        line("flat", "… the bridge's part", there["bridge_ms"], "ms", **at, ratio=ratio(on_server, "bridge_ms")),
        line("flat", "… the server's part", there["server_ms"], "ms"),
        line("flat", "delivered, SQLite, beside Alertmanager", here["per_second"], "1/s", **speed, ratio=ratio(on_file, "per_second"), least=0.6),
        line("flat", "delivered, PostgreSQL, beside Alertmanager", there["per_second"], "1/s", **speed, ratio=ratio(on_server, "per_second")),
        line("flat", "CPU of the load generator a request", here["load_ms"], "ms"),
    ]  # fmt: skip


def replicas(folder: Path, count: int) -> list[Line]:
    """Two bridges on one PostgreSQL beside one, which gets all of the load: from as many senders as keep both busy."""
    one, two, count = [], [], count // 2
    load_of = {"concurrency": 256}
    with server() as database:
        for turn in range(ROUNDS):
            one.append(on_postgres(folder / f"o{turn}", count, database, database.database(), **load_of))
            two.append(on_postgres(folder / f"t{turn}", count, database, database.database(), number=2, **load_of))
    pairs = list(zip(two, one, strict=True))
    alone, together = median(one), median(two)
    return [
        line("replicas", "delivered by two replicas, beside one", together["per_second"], "1/s", beside=alone["per_second"], ratio=ratio(pairs, "per_second"), above=1.0),
        line("replicas", "accepted by two replicas, beside one", together["accepted_per_second"], "1/s", beside=alone["accepted_per_second"], ratio=ratio(pairs, "accepted_per_second")),
        line("replicas", "CPU a delivery with two replicas, beside one", together["cpu_ms"], "ms", beside=alone["cpu_ms"], ratio=ratio(pairs, "cpu_ms")),
    ]  # fmt: skip
