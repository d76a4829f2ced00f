"""A bridge process under faults: what it answers, what it says of itself, and how it ends."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from tests.running_bridge import BridgeProcess, free_port

MAIN = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
channels:
  sink: {type: webhook, url: "SINK/"}
route: {receiver: sink}
"""


class Answered(Struct):
    """An answer; status 0 if none came."""

    status: int
    headers: dict[str, str]
    body: str


def alert(name: str, *, note: str = "", labels: dict[str, str] | None = None, status: str = "firing") -> bytes:
    """Alertmanager's payload with one alert."""
    entry = {
        "status": status, "labels": {"alertname": name, **(labels or {})}, "annotations": {"note": note},
        "startsAt": "2026-03-01T12:00:00Z", "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "",
    }  # fmt: skip
    return json.dumps(
        {
            "version": "4", "receiver": "r", "status": status, "alerts": [entry], "groupLabels": {"alertname": name},
            "commonLabels": {}, "commonAnnotations": {}, "externalURL": "", "groupKey": name, "truncatedAlerts": 0,
        }
    ).encode()  # fmt: skip


def ask(bridge: BridgeProcess, method: str, path: str, body: bytes | None = None, timeout: float = 20) -> Answered:
    """One request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=timeout)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return Answered(answer.status, dict(answer.headers), answer.read().decode())
    except (OSError, http.client.HTTPException):
        return Answered(0, {}, "")
    finally:
        connection.close()


def post(bridge: BridgeProcess, name: str, note: str = "", **labels: str) -> Answered:
    return ask(bridge, "POST", "/webhook", alert(name, note=note, labels=labels))


def troubles(bridge: BridgeProcess) -> dict[str, str]:
    """What `/-/ready` complains of: kind and name as one word, and why."""
    found = json.loads(ask(bridge, "GET", "/-/ready").body)["troubles"]
    return {f"{trouble['what']} {trouble['name']}".strip(): trouble["detail"] for trouble in found}


def metric(bridge: BridgeProcess, name: str) -> float:
    lines = ask(bridge, "GET", "/metrics").body.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


def audit(bridge: BridgeProcess, kind: str = "") -> list[dict[str, str]]:
    """The audit records, as the command exports them beside the running bridge or without it."""
    words = ["audit", "export", "--config", "routes", *(["--kind", kind] if kind else [])]
    ran = bridge.command(*words)
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def verified(bridge: BridgeProcess) -> str:
    """The audit log holds; what `audit verify` says of it."""
    ran = bridge.command("audit", "verify", "--config", "routes")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def until(check: Callable[[], object], within: float = 60.0) -> None:
    """Wait for what another process does in its own time."""
    end = time.monotonic() + within
    while not check():
        if time.monotonic() > end:
            raise AssertionError("it did not happen in time")
        time.sleep(0.03)


def ended(bridge: BridgeProcess, within: float = 60.0) -> int:
    """Wait for the process to end by itself; its exit code."""
    assert bridge._process is not None
    return bridge._process.wait(within)


def write_main(folder: Path, text: str, sink: str = "") -> None:
    """The main file; an editor's way, by a rename."""
    fresh = folder / "routes" / "main.new"
    fresh.write_text(text.replace("SINK", sink))
    fresh.rename(folder / "routes" / "main.yml")


@contextmanager
def bridge_of(
    folder: Path, text: str = MAIN, sink: str = "", *, start: bool = True, **environment: str
) -> Iterator[BridgeProcess]:
    """A bridge with this main file; `SINK` in it becomes the receiver's address, `PORT` the bridge's. Killed at the end."""
    (folder / "routes").mkdir(exist_ok=True)
    bridge = BridgeProcess(folder, free_port(), environment)
    write_main(folder, text.replace("PORT", str(bridge.port)), sink)
    try:
        if start:
            bridge.start()
        yield bridge
    finally:
        if bridge._process is not None and bridge._process.poll() is None:
            bridge.kill()


def refused(bridge: BridgeProcess, *words: str) -> tuple[int, str]:
    """Start a bridge that is expected not to start: its exit code and standard error."""
    ran = subprocess.run(
        [sys.executable, "-m", "bridge", "serve", "--config", "routes", *words],
        cwd=bridge.folder, env=bridge._environment, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    return ran.returncode, ran.stderr
