"""What a past costs: deliveries beside many records and open incidents, a start beside a long journal, memory."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from functools import partial
from pathlib import Path

from bench import fill
from bench.flat_out import on_postgres, through
from bench.lines import Figures, Line, line, median, ratio
from bench.processes import WEBHOOK, alertmanager, bridge, cpu_seconds, load, resident_mib, server, sink
from tests.running_bridge import BridgeProcess

INCIDENTS = 100_000
RECORDS = 1_000_000
PENDING = 100_000
ROUNDS = 3


def on_sqlite(folder: Path, count: int) -> list[Line]:
    """CPU a delivery with 1,000,000 audit records and 100,000 open incidents, beside an empty database."""
    full, count = folder / "full", count // 2
    fill.history(full, INCIDENTS, RECORDS)
    pairs = []
    for turn in range(ROUNDS):
        figures = []
        for name in (full, folder / f"e{turn}"):
            with sink() as receiver, bridge(name, WEBHOOK % receiver.url) as running:
                costs = {"bridge_ms": partial(cpu_seconds, running.pid)}
                figures.append(through([f"{running.url}/webhook"], receiver, count, costs))
        pairs.append((figures[0], figures[1]))
    return [
        *_lines("past", "SQLite", pairs),
        line("past", "audit records verified", _verified(full), "", least=RECORDS),
    ]


def on_a_server(folder: Path, count: int) -> list[Line]:
    """The same on PostgreSQL, the server's CPU counted in."""
    pairs, count = [], count // 2
    with server() as database:
        full = database.database()
        fill.history(folder / "full", INCIDENTS, RECORDS, full)
        for turn in range(ROUNDS):
            ours = on_postgres(folder / f"f{turn}", count, database, full)
            pairs.append((ours, on_postgres(folder / f"e{turn}", count, database, database.database())))
    return _lines("past-postgres", "PostgreSQL", pairs)


def _lines(part: str, where: str, pairs: list[tuple[Figures, Figures]]) -> list[Line]:
    ours, theirs = median([one for one, _two in pairs]), median([two for _one, two in pairs])
    full = f"{where}, {RECORDS:,} audit records and {INCIDENTS:,} open incidents, beside none"
    return [
        line(part, f"CPU a delivery, {full}", ours["cpu_ms"], "ms", beside=theirs["cpu_ms"], ratio=ratio(pairs, "cpu_ms"), most=1.2),
        line(part, f"delivered, {full}", ours["per_second"], "1/s", beside=theirs["per_second"], ratio=ratio(pairs, "per_second")),
    ]  # fmt: skip


def _verified(folder: Path) -> int:
    """How many records the database holds, once all of them are found in unbroken chains."""
    done = BridgeProcess(folder / "0", 0).command("audit", "verify", "--config", "routes")
    if done.returncode:
        raise RuntimeError(f"the audit log is not sound: {done.stdout}{done.stderr}")
    return _count(folder, "SELECT count(*) FROM audit")


def restart(folder: Path, _count_of_alerts: int) -> list[Line]:
    """SIGKILL, and a start, with 100,000 accepted requests that are still to be planned."""
    fill.backlog(folder, PENDING)
    with sink() as receiver, bridge(folder, WEBHOOK % receiver.url) as running:
        killed = time.monotonic()
        running.kill()
        pending = _count(folder, "SELECT count(*) FROM requests WHERE state = 'pending'")
        before = receiver.tally()["requests"]
        looked = time.monotonic() - killed
        running.start()
        ready = time.monotonic() - killed - looked
        while receiver.tally()["requests"] == before:
            time.sleep(0.01)
        sent = time.monotonic() - killed - looked
        answered = load(f"{running.url}/webhook", count=500, rate=100)
    return [
        line("restart", "from SIGKILL to ready", ready, "s", most=1.0),
        line("restart", "from SIGKILL to the first notification", sent, "s"),
        line("restart", "requests that waited to be planned", pending, ""),
        line("restart", "p99 of the answer at 100 webhooks/s, while they are planned", answered["p99_ms"], "ms"),
    ]


def _count(folder: Path, query: str) -> int:
    with closing(sqlite3.connect(f"file:{folder}/bridge.db?mode=ro", uri=True)) as connection:
        number: int = connection.execute(query).fetchone()[0]
    return number


def memory(folder: Path, count: int) -> list[Line]:
    """Resident memory with so many open incidents, all told; and of an Alertmanager with as many alerts."""
    incidents = count * 4
    with sink() as receiver, alertmanager(folder / "a", receiver.url) as (url, pid):
        load(url, count=incidents, api=True)
        receiver.wait(incidents)
        time.sleep(1)
        theirs = resident_mib(pid)
    with sink() as receiver, bridge(folder / "b", WEBHOOK % receiver.url) as running:
        empty = resident_mib(running.pid)
        load(f"{running.url}/webhook", count=incidents)
        receiver.wait(incidents)
        time.sleep(1)
        full = resident_mib(running.pid)
        running.stop()
        running.start()
        again = resident_mib(running.pid)
    return [
        line("memory", f"{incidents:,} open incidents, beside Alertmanager with as many alerts", full, "MiB", beside=theirs, most=0.5),
        line("memory", "… after a restart", again, "MiB", beside=theirs),
        line("memory", "empty", empty, "MiB"),
    ]  # fmt: skip
