"""Debian's Prometheus on a port of its own, with one rule over one exporter, and an Alertmanager API to send to."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import find
from tests.running_bridge import free_port

RESEND = 1
"""Seconds between two reports of a firing alert; Prometheus sets its end to four times as long."""

_CONFIG = """
global: {scrape_interval: 1s, evaluation_interval: 1s, external_labels: {cluster: test}}
rule_files: [rules.yml]
scrape_configs:
  - job_name: pump
    static_configs: [{targets: ["EXPORTER"]}]
alerting:
  alertmanagers:
    - static_configs: [{targets: ["TARGET"]}]
"""
_RULES = """
groups:
  - name: pumps
    rules:
      - alert: PumpDown
        expr: pump_up == 0
        labels: {severity: critical}
        annotations: {summary: "{{ $labels.pump }} is down"}
"""


@contextmanager
def prometheus(folder: Path, exporter: str, target: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Prometheus that scrapes `exporter` and sends to `target`, both `host:port`. Ended at the end, if it still runs."""
    folder.mkdir(parents=True)
    (folder / "prometheus.yml").write_text(_CONFIG.replace("EXPORTER", exporter).replace("TARGET", target))
    (folder / "rules.yml").write_text(_RULES)
    port = free_port()
    program = find("prometheus")
    assert program is not None
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}", f"--rules.alert.resend-delay={RESEND}s",
            ],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait_ready(f"http://127.0.0.1:{port}/-/ready", process, folder / "prometheus.log")
        yield process
    finally:
        process.kill()
        process.wait(20)


def _wait_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"Prometheus is not ready: {log.read_text()}")
