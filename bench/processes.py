"""Starts what is measured and what measures, each as a process of its own, and reads what it cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.postgres import Cluster
from tests.programs import find
from tests.running_bridge import BridgeProcess, free_port

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
WEBHOOK = '{type: webhook, url: "%s"}'
PARKED = '{type: webhook, url: "http://127.0.0.1:9/", rate: 0.0001}'
"""A channel that is not used while a benchmark lasts."""

_AS_INSTALLED = {"PYTHONDONTWRITEBYTECODE": ""}
"""A bridge that was installed does not compile its modules at each start."""


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far, its threads included, and its children that have ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0  # it has just ended; its parent answers for it
    return sum(map(int, fields[11:15])) / TICKS


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

    def wait(self, number: int, seconds: float = 180.0, every: float = 0.1) -> float:
        """Until so many different alerts have come; the time of the last request."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            tally = self.tally()
            if tally["distinct"] >= number:
                return tally["last"]
            time.sleep(every)
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


def load(
    *urls: str, count: int, concurrency: int = 64, rate: float = 0, api: bool = False, batch: int = 1, rounds: int = 1
) -> dict[str, float]:
    """Post so many requests, to several addresses in turn; what the generator saw, and what it cost itself."""
    words = [sys.executable, "-m", "bench.load", ",".join(urls), str(count), str(concurrency), str(rate)]
    words += ["api" if api else "webhook", str(batch), str(rounds)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=600, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    if set(result["statuses"]) != {"200"}:  # type: ignore[arg-type]
        raise RuntimeError(f"not every request was accepted: {result['statuses']}")
    return result


@contextmanager
def bridge(folder: Path, channel: str, url: str = "", route: str = "") -> Iterator[BridgeProcess]:
    """A bridge with one channel (a YAML flow mapping), quiet, on a database of its own or on a shared one.

    `route` is what its one route has besides the receiver, each with a comma before it.
    """
    with bridges(folder, channel, 1, url, route) as running:
        yield running[0]


@contextmanager
def bridges(
    folder: Path, channel: str, number: int, url: str = "", route: str = ""
) -> Iterator[Sequence[BridgeProcess]]:
    """Several such bridges, in folders of their own, with one keyring beside them. SQLite's file is `folder/bridge.db`."""
    storage, keyring = url or f"sqlite:{folder}/bridge.db", ""
    folder.mkdir(parents=True, exist_ok=True)
    if url:
        keyring = f'secrets: {{keyring: "{keyring_of(folder)}"}}\n'
    running = []
    for index in range(number):
        own, port = folder / str(index), free_port()
        (own / "routes").mkdir(parents=True, exist_ok=True)
        (own / "routes" / "main.yml").write_text(
            f'server: {{listen: "127.0.0.1:{port}"}}\nstorage: {{url: "{storage}"}}\nlog: {{level: error}}\n{keyring}'
            f"channels:\n  sink: {channel}\nroute: {{receiver: sink{route}}}\n"
        )
        running.append(BridgeProcess(own, port, _AS_INSTALLED))
    try:
        for one in running:
            one.start()
        yield running
    finally:
        for one in running:
            one.stop()


def keyring_of(folder: Path) -> Path:
    """The keyring of the bridges in this folder, made if there is none yet."""
    keyring = folder / "keyring.json"
    if not keyring.exists():
        words = [sys.executable, "-m", "bridge", "secrets", "keygen", "--keyring", str(keyring)]
        subprocess.run(words, capture_output=True, check=True)
    return keyring


class Server:
    """A PostgreSQL server of our own, with PostgreSQL's own settings: every commit is on disk when it is answered."""

    def __init__(self) -> None:
        self.cluster = Cluster.made(durable=True, settings={"shared_buffers": "128MB", "autovacuum_naptime": "1min"})

    def database(self, template: str = "") -> str:
        """The address of a new database, empty or a copy."""
        cluster = self.cluster
        return cluster.dsn(cluster.create(template.rpartition("/")[2]) if template else cluster.create())

    def cpu_seconds(self) -> float:
        """Of all its processes, those that have ended too."""
        return sum(map(cpu_seconds, self.cluster.processes()))


@contextmanager
def server() -> Iterator[Server]:
    """A running PostgreSQL, removed at the end."""
    if find("initdb") is None:
        raise RuntimeError("PostgreSQL is not installed; see `make test`")
    made = Server()
    try:
        yield made
    finally:
        made.cluster.remove()


@contextmanager
def bare() -> Iterator[str]:
    """A handler that keeps nothing: its address."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-m", "bench.bare", str(port)], stdout=subprocess.DEVNULL)
    wait_for(f"http://127.0.0.1:{port}/")
    try:
        yield f"http://127.0.0.1:{port}/webhook"
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def alertmanager(folder: Path, target: str, wait: str = "0s") -> Iterator[tuple[str, int]]:
    """A real Alertmanager that sends each alert to the target after `group_wait`: (address of its API, process id)."""
    port = free_port()
    folder.mkdir(parents=True)
    (folder / "alertmanager.yml").write_text(
        f"route: {{receiver: sink, group_by: [alertname], group_wait: {wait}, group_interval: 1h, repeat_interval: 24h}}\n"
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
