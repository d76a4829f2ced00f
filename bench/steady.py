"""At a steady rate: how long an answer takes, and how long it takes until people are told."""

from __future__ import annotations

from pathlib import Path

from bench.lines import Figures, Line, line, median, ratio
from bench.processes import PARKED, WEBHOOK, bare, bridge, load, sink

RATE = 1000.0
_SECONDS = 15
ROUNDS = 3


def accepts(folder: Path, count: int) -> list[Line]:
    """Durable accepts a second flat out, beside a handler that keeps nothing."""
    pairs: list[tuple[Figures, Figures]] = []
    for turn in range(ROUNDS):
        with bare() as url:
            load(url, count=count // 10)
            nothing = load(url, count=count)
        with bridge(folder / str(turn), PARKED) as running:
            load(f"{running.url}/webhook", count=count // 10)
            pairs.append((load(f"{running.url}/webhook", count=count), nothing))
    ours, theirs = median([_figures(one) for one, _two in pairs]), median([_figures(two) for _one, two in pairs])
    share = ratio(pairs, "per_second")
    return [
        line("accept", "durable accepts flat out, beside a bare aiohttp handler", ours["per_second"], "1/s", beside=theirs["per_second"], ratio=share, least=0.45),
    ]  # fmt: skip


def steady(folder: Path, _count: int) -> list[Line]:
    """1,000 webhooks a second: accepted only, and delivered as well."""
    count = int(RATE * _SECONDS)
    with bare() as url:
        nothing = load(url, count=count, rate=RATE)
    with bridge(folder / "a", PARKED) as running:
        kept = load(f"{running.url}/webhook", count=count, rate=RATE)
    with sink() as receiver, bridge(folder / "d", WEBHOOK % receiver.url) as running:
        told = load(f"{running.url}/webhook", count=count, rate=RATE)
        receiver.wait(count)
    return [
        _without_ratio("p99 of the answer at 1,000 webhooks/s, beside a bare handler", kept, nothing, "p99_ms", 25.0),
        _without_ratio("p50 of the answer at 1,000 webhooks/s, beside a bare handler", kept, nothing, "p50_ms"),
        _without_ratio("p99 of the answer at 1,000 webhooks/s, while all is delivered", told, nothing, "p99_ms"),
        _without_ratio("reached, of 1,000 webhooks/s", kept, nothing, "per_second", unit="1/s"),
        line("steady", "CPU of the load generator, share of a core", kept["cpu_ms"] * RATE / 1000, ""),
    ]


def told(folder: Path, count: int) -> list[Line]:
    """From the sender's first byte to the receiver, at 200 a second."""
    number = int(200 * max(5, count / 500))
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        load(f"{running.url}/webhook", count=number, concurrency=32, rate=200)
        receiver.wait(number)
    found = receiver.latencies
    return [
        line("told", "accept to receiver at 200/s, p50", found[len(found) // 2], "ms", most=5),
        line("told", "accept to receiver at 200/s, p99", found[int(len(found) * 0.99)], "ms", most=25),
    ]


def _figures(found: Figures) -> Figures:
    return {name: value for name, value in found.items() if isinstance(value, float)}


def _without_ratio(
    measure: str, ours: Figures, theirs: Figures, name: str, most: float | None = None, unit: str = "ms"
) -> Line:
    """The aim is about the figure itself; what stands beside it says how much of it is the generator's and the machine's."""
    found = line("steady", measure, ours[name], unit, most=most)
    return Line(found.part, measure, ours[name], unit, theirs[name], None, found.aim, found.met)
