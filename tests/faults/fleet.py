"""Several bridges on one PostgreSQL, as processes; and what is done to them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.forks import ROOT, QuickBridge
from tests.faults.oracle_process import OracleProcess
from tests.running_bridge import free_port

CONFIG = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "URL"}
secrets: {keyring: "KEYRING"}
log: {level: error}
channels:
  sink: {type: webhook, url: "SINK/"}
route: {receiver: sink, hooks: [dedupe]}
"""


class Fleet:
    """Bridges with one keyring and one database; each has a folder of its own."""

    def __init__(self, folder: Path, url: str, watcher: OracleProcess, number: int, planted: str = "") -> None:
        self.watcher = watcher
        keyring = folder / "keyring.json"
        words = ["secrets", "keygen", "--keyring", str(keyring)]
        subprocess.run([sys.executable, "-m", "bridge", *words], cwd=ROOT, check=True, capture_output=True)
        self.bridges = [self._bridge(folder / str(index), url, keyring, planted) for index in range(number)]

    def _bridge(self, folder: Path, url: str, keyring: Path, planted: str) -> QuickBridge:
        (folder / "routes").mkdir(parents=True)
        bridge = QuickBridge(folder, free_port(), planted=planted)
        text = CONFIG.replace("PORT", str(bridge.port)).replace("URL", url).replace("KEYRING", str(keyring))
        (folder / "routes" / "main.yml").write_text(text.replace("SINK", self.watcher.url))
        return bridge

    @property
    def urls(self) -> list[str]:
        return [bridge.url for bridge in self.bridges]

    def kill(self, rng: random.Random) -> None:
        """SIGKILL one of them, and start it again."""
        bridge = rng.choice(self.bridges)
        begun = time.monotonic_ns()
        bridge.kill()
        self.watcher.killed(begun, time.monotonic_ns())
        bridge.start()

    def suspend(self, rng: random.Random, seconds: float) -> None:
        """SIGSTOP one of them for so long, then let it go on: it believes that no time has passed."""
        bridge = rng.choice(self.bridges)
        begun = time.monotonic_ns()
        bridge.signal(signal.SIGSTOP)
        time.sleep(seconds)
        bridge.signal(signal.SIGCONT)
        self.watcher.killed(begun, time.monotonic_ns())

    def replace_one_by_one(self) -> None:
        """A rolling restart: each is told to stop, and starts again before the next one goes."""
        for bridge in self.bridges:
            begun = time.monotonic_ns()
            code = bridge.stop()
            assert code == 0, f"the bridge ended with {code}: {bridge.log.read_text()[-500:]}"
            self.watcher.killed(begun, time.monotonic_ns())
            bridge.start()

    def finish(self) -> list[str]:
        """Stop all in order and verify the audit log of the database; what was wrong."""
        problems = [
            f"a bridge ended with {code}: {bridge.log.read_text()[-300:]}"
            for bridge in self.bridges
            if (code := bridge.stop()) != 0
        ]
        verified = self.bridges[0].command("audit", "verify", "--config", "routes")
        if verified.returncode:
            problems.append(f"audit verify: {verified.stdout[-300:]}{verified.stderr[-300:]}")
        return problems


@contextmanager
def fleet(folder: Path, url: str, watcher: OracleProcess, number: int = 3, planted: str = "") -> Iterator[Fleet]:
    """A running fleet; nothing of it is left at the end."""
    running = Fleet(folder, url, watcher, number, planted)
    try:
        for bridge in running.bridges:
            bridge.start()
        yield running
    finally:
        for bridge in running.bridges:
            if bridge._process is not None and bridge._process.poll() is None:
                bridge.signal(signal.SIGCONT)
                bridge.kill()
