"""Bridges that start in a tenth of the time: forked from a process that has everything imported and nothing running.

Most of a start is Python importing modules. A run of a thousand kills, or a test for each crash point, spends that once:
`python -m tests.faults.forks` imports the bridge, and every line on its standard input makes a child that runs the same
`main()` as `python -m bridge`, in its own folder, with its own environment and log. What is planted (see
`tests/faults/bugs.py`) is planted in the child alone.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.running_bridge import BridgeProcess

ROOT = Path(__file__).resolve().parents[2]
_LIMIT = 60.0


class Forked:
    """A child of the fork server, with the part of `subprocess.Popen` that tests use."""

    def __init__(self, server: ForkServer, pid: int) -> None:
        self._server = server
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return self.returncode if self.returncode is not None else self._server.ended(self, 0)

    def wait(self, timeout: float = _LIMIT) -> int:
        """The exit code, negative for a signal. Raises TimeoutError."""
        code = self.returncode if self.returncode is not None else self._server.ended(self, timeout)
        if code is None:
            raise TimeoutError(f"process {self.pid} has not ended within {timeout:g} s")
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class ForkServer:
    """The client's side of the process that forks, for any number of threads. Its children die with it."""

    def __init__(self) -> None:
        self._ordering = threading.Lock()
        self._news = threading.Condition()
        self._made: list[int] = []
        self._codes: dict[int, int] = {}
        self._gone = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def spawn(
        self,
        words: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        out: Path,
        err: Path,
        planted: str = "",
    ) -> Forked:
        """Run `alertbridge WORDS…` in a folder; its output is appended to the two files."""
        order = {
            "words": list(words), "folder": str(folder), "environment": dict(environment), "out": str(out),
            "err": str(err), "planted": planted,
        }  # fmt: skip
        pipe = self._process.stdin
        assert pipe is not None
        with self._ordering:
            pipe.write(json.dumps(order).encode() + b"\n")
            pipe.flush()
            with self._news:
                self._news.wait_for(lambda: self._made or self._gone, _LIMIT)
                assert self._made, "the fork server is gone"
                return Forked(self, self._made.pop())

    def ended(self, child: Forked, timeout: float) -> int | None:
        """The exit code of a child, None if it still runs when the time is over."""
        with self._news:
            self._news.wait_for(lambda: child.pid in self._codes or self._gone, timeout)
            assert not self._gone, "the fork server is gone"
            if child.pid in self._codes:
                child.returncode = self._codes.pop(child.pid)
            return child.returncode

    def close(self) -> None:
        if self._process.stdin is not None and self._process.stdout is not None:
            self._process.stdin.close()
            self._process.wait(_LIMIT)
            self._reader.join(_LIMIT)
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            with self._news:
                if "pid" in told:
                    self._made.append(told["pid"])
                else:
                    self._codes[told["ended"]] = told["code"]
                self._news.notify_all()
        with self._news:
            self._gone = True
            self._news.notify_all()


class QuickBridge(BridgeProcess):
    """A bridge that the fork server starts; `planted` names what is wrong with it."""

    server: ForkServer | None = None
    """One for all; made at the first start."""
    _making = threading.Lock()

    def __init__(
        self, folder: Path, port: int, environment: Mapping[str, str] | None = None, planted: str = ""
    ) -> None:
        super().__init__(folder, port, dict(environment or {}))
        self.planted = planted

    def start(self, *, ready: bool = True, point: str = "") -> None:
        """Start; `point` (`name:nth`) is the crash point to die at."""
        environment = {**self._environment, **({"ALERTBRIDGE_CRASHPOINT": point} if point else {})}
        words = ["serve", "--config", str(self.folder / "routes")]
        self._process = self._server().spawn(words, self.folder, environment, self.log, self.log, self.planted)  # type: ignore[assignment]
        if ready:
            self.wait_ready()

    def wait_ready(self) -> None:
        """By asking again and again, without a pause that would show in a thousand starts."""
        end = time.monotonic() + _LIMIT
        while time.monotonic() < end:
            if self._process is not None and self._process.poll() is not None:
                raise AssertionError(
                    f"the bridge ended with {self._process.returncode}:\n{self.log.read_text()[-3000:]}"
                )
            if self.is_ready():
                return
            time.sleep(0.004)
        raise AssertionError(f"the bridge is not ready:\n{self.log.read_text()[-3000:]}")

    def is_ready(self) -> bool:
        """Whether `/-/ready` answers 200."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                return connection.recv(64).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def terminate(self) -> None:
        self.signal(signal.SIGTERM)

    def died(self, within: float = 60.0) -> bool:
        """Whether SIGKILL ended it, though nobody sent one: then it was the crash point."""
        assert self._process is not None
        try:
            return self._process.wait(within) == -signal.SIGKILL
        except TimeoutError:
            return False

    def command(self, *words: str, stdin: str = "", point: str = "") -> subprocess.CompletedProcess[str]:
        if stdin:
            return super().command(*words, stdin=stdin)
        out, err = self.folder / "command.out", self.folder / "command.err"
        out.write_text("")
        err.write_text("")
        environment = {**self._environment, **({"ALERTBRIDGE_CRASHPOINT": point} if point else {})}
        code = self._server().spawn(words, self.folder, environment, out, err, self.planted).wait()
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())

    @classmethod
    def _server(cls) -> ForkServer:
        with QuickBridge._making:
            if QuickBridge.server is None:
                QuickBridge.server = ForkServer()
            return QuickBridge.server


def close() -> None:
    """End the fork server, if there is one."""
    if QuickBridge.server is not None:
        QuickBridge.server.close()
        QuickBridge.server = None


def _child(order: dict[str, Any]) -> int:
    """Become `alertbridge WORDS…`; gives the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for name, descriptor in (("out", 1), ("err", 2)):
        os.dup2(os.open(order[name], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), descriptor)
    os.closerange(3, 64)
    sys.argv = ["alertbridge", *order["words"]]
    from bridge.cli.main import main

    if order["planted"]:
        import_module("tests.faults.stopping")  # it has something to plant, too
        from tests.faults.bugs import plant

        plant(order["planted"])
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _serve() -> None:
    """Fork for every line of standard input; tell who was made and who ended. At the end of input all are killed."""
    for name in ("bridge.app.serve", "bridge.cli.serve", "bridge.cli.audit", "bridge.cli.secrets", "uvloop", "asyncpg"):
        import_module(name)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    alive: set[int] = set()
    orders = b""
    while True:
        ready = select.select([0, reading], [], [])[0]
        if reading in ready:
            os.read(reading, 512)
            while alive and (ended := os.waitpid(-1, os.WNOHANG))[0]:
                alive.discard(ended[0])
                _tell({"ended": ended[0], "code": os.waitstatus_to_exitcode(ended[1])})
        if 0 in ready:
            piece = os.read(0, 65536)
            if not piece:
                break
            *lines, orders = (orders + piece).split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    os._exit(_run(json.loads(line)))
                alive.add(pid)
                _tell({"pid": pid})
    for pid in alive:
        os.kill(pid, signal.SIGKILL)


def _run(order: dict[str, Any]) -> int:
    try:
        return _child(order)
    except BaseException:  # noqa: BLE001 - the child must not go on as the server
        import traceback

        traceback.print_exc()
        return 70


def _tell(fact: dict[str, int]) -> None:
    os.write(1, json.dumps(fact).encode() + b"\n")


if __name__ == "__main__":
    _serve()
