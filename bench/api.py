"""Prometheus in front, and no Alertmanager: posts to API v2, and how long it takes until people are told, beside the real one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bench.lines import Figures, Line, line, median, ratio
from bench.processes import PARKED, WEBHOOK, alertmanager, bridge, cpu_seconds, load, sink

BATCH = 64
"""What Prometheus posts at most in one request."""
ROUNDS = 3
_RATE = 100.0
_ROUTE = ", group_by: [alertname], group_wait: {wait}, group_interval: 1h, repeat_interval: 24h"
_NEVER = "1h"
_LIMIT = 20_000


def posts(folder: Path, count: int) -> list[Line]:
    """New alerts, and the same ones again and again as Prometheus does; nobody is told meanwhile."""
    fresh: list[tuple[Figures, Figures]] = []
    again: list[tuple[Figures, Figures]] = []
    requests = max(10, min(count, _LIMIT) // BATCH)
    for turn in range(ROUNDS):
        with bridge(folder / f"b{turn}", PARKED, route=_ROUTE.format(wait=_NEVER)) as running:
            url = f"{running.url}/api/v2/alerts"
            ours = _posted(url, requests, 1, running.pid), _posted(url, requests * 5, 5, running.pid)
        with alertmanager(folder / f"a{turn}", "http://127.0.0.1:9/", _NEVER) as (url, pid):
            theirs = _posted(url, requests, 1, pid), _posted(url, requests * 5, 5, pid)
        fresh.append((ours[0], theirs[0]))
        again.append((ours[1], theirs[1]))
    return [*_lines("new", fresh), *_lines("posted five times", again)]


def told(folder: Path, _count: int) -> list[Line]:
    """From the post to the receiver through `group_wait: 0s`, at a steady rate."""
    number = int(_RATE * 10)

    def latencies(url: str, receiver_wait: Callable[[int], float]) -> None:
        load(url, count=number, concurrency=32, rate=_RATE, api=True)
        receiver_wait(number)

    with sink() as ours, bridge(folder / "b", WEBHOOK % ours.url, route=_ROUTE.format(wait="0s")) as running:
        latencies(f"{running.url}/api/v2/alerts", ours.wait)
    with sink() as theirs, alertmanager(folder / "a", theirs.url) as (url, _pid):
        latencies(url, theirs.wait)
    return [
        line("api", f"API v2 to receiver through group_wait 0s at {_RATE:g}/s, {name}, beside Alertmanager", _at(ours.latencies, share), "ms", beside=_at(theirs.latencies, share))
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]  # fmt: skip


def _posted(url: str, requests: int, rounds: int, pid: int) -> Figures:
    before = cpu_seconds(pid)
    found = load(url, count=requests, concurrency=4, api=True, batch=BATCH, rounds=rounds)
    spent = (cpu_seconds(pid) - before) * 1e6 / (requests * BATCH)
    return {"per_second": found["per_second"] * BATCH, "p99_ms": found["p99_ms"], "cpu_us": spent}


def _lines(what: str, pairs: list[tuple[Figures, Figures]]) -> list[Line]:
    ours, theirs = median([one for one, _two in pairs]), median([two for _one, two in pairs])
    return [
        line("api", f"alerts over API v2 in posts of {BATCH}, {what}, beside Alertmanager", ours["per_second"], "1/s", beside=theirs["per_second"], ratio=ratio(pairs, "per_second")),
        line("api", f"CPU an alert, {what}, beside Alertmanager", ours["cpu_us"], "µs", beside=theirs["cpu_us"], ratio=ratio(pairs, "cpu_us")),
        line("api", f"p99 of the answer to a post of {BATCH}, {what}, beside Alertmanager", ours["p99_ms"], "ms", beside=theirs["p99_ms"], ratio=ratio(pairs, "p99_ms")),
    ]  # fmt: skip


def _at(latencies: list[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]
