"""An oracle as tests and runs hold it: started, told what to do, waited for, and judged by its file alone."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.faults.forks import ROOT
from tests.faults.judge import Verdict

_STARTING = threading.Lock()
"""Processes that several threads start at the same moment were seen to fail with EFAULT."""


class OracleProcess:
    """The process that sends and receives; `url` is where channels send to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / "oracle.log"
        with _STARTING:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.oracle", str(self.file)], cwd=ROOT,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        self.url = f"http://127.0.0.1:{self._answer()['port']}"

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def sink(self, mode: str, first: int = 0, path: str = "") -> None:
        """From now on receivers (at `path`, else all others) answer `ok`, a status (`503`), or `hang`, `reset`; `refuse`
        is 503 to the first tries of each message.
        """
        self._ask("sink", mode=mode, first=first, path=path)

    def expect(self, *paths: str) -> None:
        """Which receivers must hear of everything that is accepted from now on (`/` if never said)."""
        self._ask("note", fact={"paths": paths})

    def killed(self, begun: int, done: int) -> None:
        """A process was killed between these two times (CLOCK_MONOTONIC, ns)."""
        self._ask("note", fact={"kill": [begun, done]})

    def load(self, urls: Sequence[str], **how: Any) -> None:
        """Begin to send to these bridges: `connections`, `resolve`, `repeat`, `seed`, `pause`, as `oracle.Load` says."""
        self._ask("load", urls=[f"{url}/webhook" for url in urls], **how)

    def stop(self) -> None:
        self._ask("stop")

    def post(self, url: str, key: int, version: int = 0, within: float = 10.0) -> int:
        """One alert; the status, 0 if no answer came."""
        status: int = self._ask("post", url=f"{url}/webhook", key=key, version=version, within=within)["status"]
        return status

    def counts(self) -> dict[str, int]:
        return self._ask("counts")

    def accepted(self, number: int, within: float = 120.0) -> bool:
        """Wait until so many alerts are accepted; whether they were."""
        end = time.monotonic() + within
        while self.counts()["accepted"] < number:
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def more(self, number: int) -> None:
        """Wait until so many more are accepted."""
        assert self.accepted(self.counts()["accepted"] + number), "the bridge takes nothing"

    def drained(self, within: float = 60.0, stall: float = 60.0) -> bool:
        """Wait until every accepted alert has been received, as long as more come every `stall` seconds; whether they all did."""
        end = time.monotonic() + within
        moved, missing = time.monotonic(), -1
        while found := self.counts()["missing"]:
            now = time.monotonic()
            if found != missing:
                moved, missing = now, found
            if now > end or now > moved + stall:
                return False
            time.sleep(0.02)
        return True

    def verdict(self) -> Verdict:
        """What the judge, a process of its own, says of the file."""
        with _STARTING:
            judging = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.judge", str(self.file)], cwd=ROOT,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        said, wrong = judging.communicate()
        if not said:
            raise AssertionError(f"the judge failed: {wrong}")
        return msgspec.json.decode(said, type=Verdict)

    def _ask(self, do: str, **words: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **words}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the oracle is gone")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def oracle(folder: Path) -> Iterator[OracleProcess]:
    """A running oracle that keeps its file in this folder."""
    running = OracleProcess(folder)
    try:
        yield running
    finally:
        running.close()
