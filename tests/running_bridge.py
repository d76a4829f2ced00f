"""The bridge as users run it: `python -m bridge serve` as a process of its own, on a port of its own."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS_WITHIN = 60.0


_PORTS = range(10_000, 32_768)
_unasked = iter(random.SystemRandom().sample(_PORTS, len(_PORTS)))


def free_port() -> int:
    """A port that was free a moment ago, given once, and below those that the system gives to connections.

    A bridge that is stopped and started again must find it free: nobody else is given it meanwhile.
    """
    for port in _unasked:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port was given already")


class BridgeProcess:
    """One `alertbridge serve`. `folder` holds its configuration `routes/`, its database and its log."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "bridge.log"
        self.program = ["-m", "bridge"]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *, ready: bool = True, log: int | None = None) -> None:
        """`log` is a descriptor that takes the log instead of the file."""
        with self.log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, *self.program, "serve", "--config", str(self.folder / "routes")],
                cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log or file, stderr=log or file,
            )  # fmt: skip
        if ready:
            self.wait_ready()

    def wait_ready(self) -> None:
        end = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(
                    f"the bridge ended with {self._process.returncode}:\n{self.log.read_text()[-3000:]}"
                )
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.02)
        raise AssertionError(f"the bridge is not ready:\n{self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL: no chance to tidy up."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, within: float = 60.0) -> int:
        """SIGTERM and wait; the exit code."""
        if self._process is None or self._process.poll() is not None:
            return self._process.returncode if self._process else 0
        self._process.terminate()
        return self._process.wait(within)

    def get(self, path: str) -> object:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            return json.load(answer)

    def text(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=60) as answer:
            text: str = answer.read().decode()
            return text

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> tuple[int, object]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}{path}", data, {"Content-Type": "application/json", **(headers or {})}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def command(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """An `alertbridge` command in the bridge's folder."""
        return subprocess.run(
            [sys.executable, "-m", "bridge", *words], cwd=self.folder, env=self._environment, input=stdin,
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


@contextmanager
def bridge_process(folder: Path, text: str, environment: dict[str, str] | None = None) -> Iterator[BridgeProcess]:
    """A running bridge with `text` as its main file; `PORT` in it becomes its port. Stopped at the end."""
    port = free_port()
    (folder / "routes").mkdir(parents=True, exist_ok=True)
    (folder / "routes" / "main.yml").write_text(text.replace("PORT", str(port)))
    bridge = BridgeProcess(folder, port, environment)
    try:
        bridge.start()
        yield bridge
    finally:
        bridge.stop()


async def eventually(check: object, within: float = 60.0) -> None:
    """Until `check()` is true; for what another process does in its own time."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if check():  # type: ignore[operator]
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not happen in time")
