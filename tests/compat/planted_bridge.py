"""The bridge that is compared: as users run it, or with a bug planted in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.running_bridge import BridgeProcess, free_port

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def compat_bridge(folder: Path, text: str, planted: str = "") -> Iterator[BridgeProcess]:
    """A running bridge; `planted` are names of tests/compat/bugs.py, separated by commas."""
    port = free_port()
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "main.yml").write_text(text.replace("PORT", str(port)))
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
    bridge = BridgeProcess(folder, port, {"PYTHONPATH": path})
    if planted:
        bridge.program = ["-m", "tests.compat.bugs", planted]
    try:
        bridge.start()
        yield bridge
    finally:
        bridge.stop()
