"""A bridge under strace, with bugs planted or without: for what it does to its disk, and for what a disk may do to it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.faults.forks import ROOT, QuickBridge
from tests.programs import find
from tests.running_bridge import BridgeProcess

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:data/bridge.db"}
log: {level: error}
channels:
  sink: {type: webhook, url: "SINK/"}
route: {receiver: sink, hooks: [dedupe]}
"""


class TracedBridge(QuickBridge):
    """A bridge whose first start makes its folder; the database lies in `data/`."""

    def __init__(self, folder: Path, port: int, sink: str, planted: str = "") -> None:
        super().__init__(folder, port, planted=planted)
        (folder / "routes").mkdir(parents=True)
        (folder / "data").mkdir()
        (folder / "routes" / "main.yml").write_text(CONFIG.replace("PORT", str(port)).replace("SINK", sink))

    def start_traced(self, log: Path, *options: str, ready: bool = True) -> None:
        """Start under strace with these options; the trace goes to `log`."""
        strace = find("strace")
        assert strace is not None
        program = ["-m", "tests.faults.bugs", self.planted] if self.planted else ["-m", "bridge"]
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [strace, "-f", "-qq", "--seccomp-bpf", "-o", str(log), *options,
                 sys.executable, *program, "serve", "--config", str(self.folder / "routes")],
                cwd=self.folder, env={**self._environment, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
        if ready:
            self.wait_ready()

    def signal_bridge(self, number: signal.Signals) -> int:
        """Signal the bridge itself; its tracer ends with it. Gives the exit code."""
        assert self._process is not None
        for child in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split():
            os.kill(int(child), number)
        return self._process.wait(60)

    def end(self) -> None:
        """Kill it if it still runs."""
        if self.running:
            self.signal_bridge(signal.SIGKILL)


def attached(bridge: BridgeProcess, log: Path, inject: str) -> subprocess.Popen[bytes]:
    """An strace that makes calls of the running bridge fail, once it has every thread; plant `traceable` in the bridge.

    `inject` is strace's option: `inject=CALL:error=…:when=…`; it counts by thread.
    """
    strace = find("strace")
    assert strace is not None
    log.unlink(missing_ok=True)
    call = inject.partition("=")[2].partition(":")[0]
    process = subprocess.Popen(
        [strace, "-f", "-o", str(log), "-e", f"trace={call}", "-e", inject, "-p", str(bridge.pid)],
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    line = process.stderr.readline()
    assert b"attached" in line, line
    return process
