"""`make bench`: what the bridge costs, beside a bare handler and a real Alertmanager, in one run on one machine.

`python -m bench [--count N] [--json FILE]`. Shares and ratios carry over to other machines, times do not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.processes import alertmanager, bare, bridge, cpu_seconds, load, resident_mib, sink

WEBHOOK = '{type: webhook, url: "%s"}'
PARKED = '{type: webhook, url: "http://127.0.0.1:9/", rate: 0.0001}'
ROUNDS = 3
Figures = dict[str, float]


def accept_rate(folder: Path, count: int) -> Figures:
    """Durable accepts a second, and as a share of a handler that keeps nothing."""
    with bare() as (url, _pid):
        load(url, count // 10)
        nothing = load(url, count)
    with bridge(folder, PARKED) as running:
        load(f"{running.url}/webhook", count // 10)
        durable = load(f"{running.url}/webhook", count)
    return {
        "bare_per_second": nothing["per_second"],
        "durable_per_second": durable["per_second"],
        "share": durable["per_second"] / nothing["per_second"],
        "accept_p99_ms": durable["p99_ms"],
    }


def through_bridge(folder: Path, count: int) -> Figures:
    """Webhook in, commit, webhook out, outcome committed; flat out."""
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        load(f"{running.url}/webhook", count // 10)
        receiver.wait(count // 10)
        time.sleep(0.5)
        before, start = cpu_seconds(running.pid), time.time()
        load(f"{running.url}/webhook", count)
        last = receiver.wait(count + count // 10)
        time.sleep(0.5)  # the outcomes of the last ones
        spent = cpu_seconds(running.pid) - before
    return {"per_second": count / (last - start), "cpu_ms": spent * 1000 / count}


def through_alertmanager(folder: Path, count: int) -> Figures:
    """The same alerts over its API v2, one notification each."""
    with sink() as receiver, alertmanager(folder, receiver.url) as (url, pid):
        load(url, count // 10, api=True)
        receiver.wait(count // 10)
        time.sleep(0.5)
        before, start = cpu_seconds(pid), time.time()
        load(url, count, api=True)
        last = receiver.wait(count + count // 10)
        time.sleep(0.5)
        spent = cpu_seconds(pid) - before
    return {"per_second": count / (last - start), "cpu_ms": spent * 1000 / count}


def latency(folder: Path, rate: float, seconds: float) -> Figures:
    """From the sender's first byte to the receiver, at a steady rate."""
    count = int(rate * seconds)
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        load(f"{running.url}/webhook", count, concurrency=32, rate=rate)
        receiver.wait(count)
    found = receiver.latencies
    return {"p50_ms": found[len(found) // 2], "p99_ms": found[int(len(found) * 0.99)]}


def memory(folder: Path, incidents: int) -> Figures:
    """Resident memory before and with so many open incidents, all told."""
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        before = resident_mib(running.pid)
        load(f"{running.url}/webhook", incidents)
        receiver.wait(incidents)
        time.sleep(1)
        after = resident_mib(running.pid)
        start = time.monotonic()
        running.stop()
        running.start()
        return {
            "empty_mib": before,
            "full_mib": after,
            "restarted_mib": resident_mib(running.pid),
            "restart_seconds": time.monotonic() - start,
        }


def median(figures: list[Figures]) -> Figures:
    return {name: statistics.median(one[name] for one in figures) for name in figures[0]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--count", type=int, default=5000, help="alerts in each measurement")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args()
    count: int = given.count
    with tempfile.TemporaryDirectory(prefix="alertbridge-bench") as name:
        folder = Path(name)
        pairs = [
            (through_bridge(folder / f"b{turn}", count), through_alertmanager(folder / f"a{turn}", count))
            for turn in range(ROUNDS)  # in turn, so that a machine that slows down slows both
        ]
        accepts = median([accept_rate(folder / f"r{turn}", count) for turn in range(ROUNDS)])
        steady = latency(folder / "l", 200, max(5, count / 500))
        full = memory(folder / "m", count * 4)
    ours, theirs = median([pair[0] for pair in pairs]), median([pair[1] for pair in pairs])
    ratio = statistics.median(pair[0]["cpu_ms"] / pair[1]["cpu_ms"] for pair in pairs)
    report(accepts, ours, theirs, ratio, steady, full, count)
    if given.json:
        everything = {
            "accept": accepts,
            "bridge": ours,
            "alertmanager": theirs,
            "cpu_ratio": ratio,
            "latency_200": steady,
        }
        given.json.write_text(json.dumps({**everything, "memory": full, "count": count}, indent=1) + "\n")


def report(
    accepts: Figures, ours: Figures, theirs: Figures, ratio: float, steady: Figures, full: Figures, count: int
) -> None:
    table = Table(title=f"Alertbridge beside Alertmanager: {count} alerts a measurement, medians of {ROUNDS}")
    for column in ("measure", "Alertbridge", "beside", "ratio", "aim"):
        table.add_column(column)
    table.add_row(
        "durable accepts/s (beside: bare aiohttp handler)", f"{accepts['durable_per_second']:.0f}",
        f"{accepts['bare_per_second']:.0f}", f"{accepts['share']:.2f}", "≥ 0.45",
    )  # fmt: skip
    table.add_row(
        "deliveries/s, webhook to webhook (beside: Alertmanager)", f"{ours['per_second']:.0f}",
        f"{theirs['per_second']:.0f}", f"{ours['per_second'] / theirs['per_second']:.2f}", "",
    )  # fmt: skip
    table.add_row(
        "CPU ms per delivery (beside: Alertmanager)", f"{ours['cpu_ms']:.3f}", f"{theirs['cpu_ms']:.3f}",
        f"{ratio:.2f}", "≤ 1.5",
    )  # fmt: skip
    table.add_row("accept to receiver at 200/s, p50 ms", f"{steady['p50_ms']:.1f}", "", "", "5")
    table.add_row("accept to receiver at 200/s, p99 ms", f"{steady['p99_ms']:.1f}", "", "", "25")
    table.add_row("memory, empty, MiB", f"{full['empty_mib']:.0f}", "", "", "")
    table.add_row(f"memory, {count * 4} open incidents, MiB", f"{full['full_mib']:.0f}", "", "", "")
    table.add_row("… after a restart, MiB", f"{full['restarted_mib']:.0f}", "", "", "")
    table.add_row("… stop to ready, s", f"{full['restart_seconds']:.1f}", "", "", "")
    Console().print(table)


if __name__ == "__main__":
    main()
