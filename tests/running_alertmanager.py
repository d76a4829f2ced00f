"""Debian's Alertmanager on a port of its own, driven by the real amtool."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import find
from tests.running_bridge import free_port


class Alertmanager:
    """A running Alertmanager. `add` and `resolve` speak as amtool does."""

    def __init__(self, folder: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.process = process
        self._folder = folder

    def add(self, *labels: str, annotations: tuple[str, ...] = (), start: str = "", end: str = "") -> None:
        """`amtool alert add LABEL=VALUE…`; times are RFC 3339."""
        words = [*labels, *(f"--annotation={pair}" for pair in annotations)]
        words += [f"--start={start}"] if start else []
        words += [f"--end={end}"] if end else []
        self.amtool("alert", "add", *words)

    def amtool(self, *words: str) -> str:
        program = find("amtool")
        assert program is not None
        done = subprocess.run(
            [program, f"--alertmanager.url={self.url}", *words], capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout


@contextmanager
def alertmanager(folder: Path, config: str) -> Iterator[Alertmanager]:
    """An Alertmanager with this configuration, ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alertmanager.yml").write_text(config)
    port = free_port()
    program = find("prometheus-alertmanager")
    assert program is not None
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
            ],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_ready(f"http://127.0.0.1:{port}/-/ready", process, folder / "alertmanager.log")
        yield Alertmanager(folder, port, process)
    finally:
        process.terminate()
        process.wait(20)


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Alertmanager is not ready: {log.read_text()}")
