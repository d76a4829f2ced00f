"""What operators do to a bridge that is busy: stop it, reload it, rotate its keys, hand it a bad file. None of it costs an alert."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from tests.faults.forks import QuickBridge
from tests.faults.judge import Verdict
from tests.faults.kills import finished, problems_of
from tests.faults.oracle_process import OracleProcess, oracle
from tests.running_bridge import free_port

CONFIG = """
server: {listen: "127.0.0.1:PORT", drain_timeout: 5s}
storage: {url: "sqlite:bridge.db"}
secrets: {keyring: keyring.json}
log: {level: error}
reopen_within: HOURSh
channels:
  sink: {type: webhook, url: "SINK/", signing_secret: "SEALED"}
route: {receiver: sink, hooks: [dedupe]}
"""
_SECRET = "whsec_dGhlIGtleSBvZiB0aGUgcmVjZWl2ZXI="
_WITHIN = 30.0


class Ran(msgspec.Struct):
    """What a run gave: the verdict, and how often each thing was done."""

    verdict: Verdict
    done: dict[str, int]
    problems: list[str]


class Operator:
    """Somebody with a shell beside a busy bridge, who does one thing after the other."""

    def __init__(self, folder: Path, watcher: OracleProcess, planted: str) -> None:
        self.bridge = QuickBridge(folder, free_port(), planted=planted)
        self._watcher = watcher
        self._main = folder / "routes" / "main.yml"
        self._main.parent.mkdir(parents=True)
        self._hours = 1
        assert self._command("secrets", "keygen", "--keyring", "keyring.json") == ""
        text = CONFIG.replace("PORT", str(self.bridge.port)).replace("SINK", watcher.url)
        self._main.write_text(text.replace("HOURS", "1").replace("SEALED", "env:NOT_YET"))
        words = ("secrets", "seal", "--for", "channels/sink/signing_secret", "--config", "routes")
        sealed = self.bridge.command(*words, stdin=_SECRET).stdout.strip()
        self._main.write_text(self._main.read_text().replace("env:NOT_YET", sealed))

    def stop_and_start(self) -> str:
        """SIGTERM: what is in flight is finished, so not even a copy is to come of it."""
        code = self.bridge.stop()
        self.bridge.start()
        return f"SIGTERM ended with {code}" if code else ""

    def reload(self) -> str:
        """Another good configuration, by signal."""
        before = self._configuration()
        text, old = self._main.read_text(), f"reopen_within: {self._hours}h"
        self._hours += 1
        self._write(text.replace(old, f"reopen_within: {self._hours}h"))
        self.bridge.signal(signal.SIGHUP)
        return self._until(lambda: self._configuration() not in {"", before}, "the new configuration is not in force")

    def rotate(self) -> str:
        """New keys, and every sealed text sealed anew, while the old ones are in use."""
        problem = self._command("secrets", "rotate", "--config", "routes")
        self.bridge.signal(signal.SIGHUP)
        return problem

    def hand_a_bad_file(self) -> str:
        """It is refused, the running configuration stays, and a good file ends it."""
        good = self._main.read_text()
        self._write(good.replace("receiver: sink", "receiver: nobody"))
        self.bridge.signal(signal.SIGHUP)
        refused = self._until(lambda: "alertbridge_config_last_reload_successful 0" in self._metrics(), "not refused")
        self._write(good)
        self.bridge.signal(signal.SIGHUP)
        taken = self._until(lambda: "alertbridge_config_last_reload_successful 1" in self._metrics(), "not taken back")
        return refused or taken

    def _write(self, text: str) -> None:
        """As a ConfigMap or an editor does it: a whole file takes the place of the other."""
        fresh = self._main.with_name(".fresh")
        fresh.write_text(text)
        fresh.replace(self._main)

    def _command(self, *words: str) -> str:
        ran = self.bridge.command(*words)
        return f"{' '.join(words[:2])} ended with {ran.returncode}: {ran.stderr[-300:]}" if ran.returncode else ""

    def _metrics(self) -> str:
        return self.bridge.text("/metrics")

    def _configuration(self) -> str:
        """What says which configuration is in force."""
        return next((line for line in self._metrics().splitlines() if line.startswith("alertbridge_config_hash")), "")

    @staticmethod
    def _until(check: Callable[[], bool], problem: str) -> str:
        end = time.monotonic() + _WITHIN
        while not check():
            if time.monotonic() > end:
                return f"{problem} within {_WITHIN:g} s"
            time.sleep(0.02)
        return ""


DEEDS = (Operator.stop_and_start, Operator.reload, Operator.rotate, Operator.hand_a_bad_file)


def run(folder: Path, times: int, seed: int, planted: str = "") -> Ran:
    """Do each of them so many times, in any order, to a bridge whose receiver refuses every message once; then judge."""
    rng = random.Random(seed)
    with oracle(folder) as watcher:
        operator = Operator(folder, watcher, planted)
        watcher.sink("refuse", 1)
        operator.bridge.start()
        watcher.load([operator.bridge.url], connections=8, resolve=0.2, repeat=0.1, pause=0.01, seed=seed)
        deeds = list(DEEDS) * times
        rng.shuffle(deeds)
        problems = []
        for deed in deeds:
            time.sleep(rng.uniform(0.05, 0.3))
            problems += [f"{deed.__name__}: {problem}" for problem in [deed(operator)] if problem]
        watcher.accepted(10 * times)  # a slow machine has done less by now
        watcher.stop()
        watcher.drained(60, stall=10)
        problems += finished(operator.bridge)
        verdict = watcher.verdict()
    problems += problems_of(verdict, 0)
    if verdict.accepted < 10 * times:
        problems.append(f"only {verdict.accepted} accepted: the load did not run")
    return Ran(verdict, {deed.__name__: times for deed in DEEDS}, problems)
