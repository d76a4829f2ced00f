"""Starts what is measured and what measures, each as a process of its own, and reads what it cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import find
from tests.running_bridge import BridgeProcess, free_port

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mib(pid: int) -> float:
    """Memory in use, in MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE / 2**20


def wait_for(url: str, seconds: float = 20.0) -> None:
    """Until the address answers."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{url} does not answer")


class Sink:
    """The receiver; `tally` is what it has seen so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.latencies: list[float] = []

    def tally(self) -> dict[str, float]:
        with urllib.request.urlopen(self.url, timeout=10) as answer:
            found: dict[str, float] = json.load(answer)
        return found

    def wait(self, number: int, seconds: float = 180.0) -> float:
        """Until so many different alerts have come; the time of the last request."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            tally = self.tally()
            if tally["distinct"] >= number:
                return tally["last"]
            time.sleep(0.1)
        raise RuntimeError(f"only {self.tally()['distinct']} of {number} alerts came through")


@contextmanager
def sink() -> Iterator[Sink]:
    """A running receiver; `latencies` (ms) are there after the end."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.sink", str(port)], stdout=subprocess.PIPE)
    found = Sink(f"http://127.0.0.1:{port}/")
    wait_for(found.url)
    try:
        yield found
    finally:
        process.send_signal(signal.SIGTERM)
        out, _err = process.communicate(timeout=30)
        found.latencies = sorted(json.loads(out)["latencies"])


def load(url: str, count: int, *, concurrency: int = 64, rate: float = 0, api: bool = False) -> dict[str, float]:
    """Post so many alerts; what the generator saw."""
    words = [
        sys.executable,
        "-m",
        "bench.load",
        url,
        str(count),
        str(concurrency),
        str(rate),
        "api" if api else "webhook",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    if set(result["statuses"]) != {"200"}:  # type: ignore[arg-type]
        raise RuntimeError(f"not every request was accepted: {result['statuses']}")
    return result


@contextmanager
def bridge(folder: Path, channel: str) -> Iterator[BridgeProcess]:
    """A bridge with one channel (a YAML flow mapping), quiet, on a database of its own."""
    port = free_port()
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "main.yml").write_text(
        f'server: {{listen: "127.0.0.1:{port}"}}\nstorage: {{url: "sqlite:{folder}/bridge.db"}}\nlog: {{level: error}}\n'
        f"channels:\n  sink: {channel}\nroute: {{receiver: sink}}\n"
    )
    running = BridgeProcess(folder, port)
    running.start()
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def bare() -> Iterator[tuple[str, int]]:
    """A handler that keeps nothing: (address, process id)."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.sink", str(port)], stdout=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/")
    try:
        yield f"http://127.0.0.1:{port}/webhook", process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def alertmanager(folder: Path, target: str) -> Iterator[tuple[str, int]]:
    """A real Alertmanager that sends each alert to the target at once: (address of its API, process id)."""
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: sink, group_by: [alertname], group_wait: 0s, group_interval: 1h, repeat_interval: 24h}\n"
        f"receivers: [{{name: sink, webhook_configs: [{{url: '{target}'}}]}}]\n"
    )
    program = find("prometheus-alertmanager")
    if program is None:
        raise RuntimeError("prometheus-alertmanager is not installed; see `make test`")
    words = [program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=error"]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/-/ready")
    try:
        yield f"http://127.0.0.1:{port}/api/v2/alerts", process.pid
    finally:
        process.terminate()
        process.wait(30)
