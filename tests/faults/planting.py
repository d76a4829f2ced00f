"""Bridges with planted faults, and the service outside that hears their heartbeat."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.faults.receiver import Receiver, receiving
from tests.faults.serving import troubles, until, write_main
from tests.running_bridge import BridgeProcess, free_port

ROOT = Path(__file__).resolve().parents[2]
BOUNDS = {"stage": 4.0, "queue": 2.0, "commit": 1.0, "checkpoint": 1.0, "lag": 1.0, "calm": 0.5, "idle": 1.0}

MAIN = """
server: {listen: "127.0.0.1:PORT"}
storage: {url: "sqlite:bridge.db"}
channels:
  sink: {type: webhook, url: "SINK/"}
  pager: {type: webhook, url: "SINK/pager"}
  word: {type: webhook, url: "SINK/word"}
fallback: word
watch: {heartbeat_url: "BEATS/beat", every: 1s, timeout: 2s}
escalations:
  up: [{after: 2s, notify: [pager]}]
route: {receiver: sink, hooks: [dedupe, {escalate: up}]}
"""


class Beats(ThreadingHTTPServer):
    """Counts the heartbeats; while `closed` it answers 503 and counts none."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.heard: list[str] = []
        self.closed = False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def more(self, within: float = 60.0) -> None:
        """Wait for two more heartbeats."""
        before = len(self.heard)
        until(lambda: len(self.heard) >= before + 2, within)

    def silent(self) -> bool:
        """Whether none comes for three times the time between two."""
        before = len(self.heard)
        time.sleep(3.0)
        return len(self.heard) == before


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Beats

    def do_GET(self) -> None:
        if not self.server.closed:
            self.server.heard.append(self.path)
        self.send_response(503 if self.server.closed else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def listening() -> Iterator[Beats]:
    """A heartbeat's hearer on a free port."""
    beats = Beats()
    thread = threading.Thread(target=beats.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield beats
    finally:
        beats.shutdown()
        thread.join()
        beats.server_close()


def together(*stories: Callable[[Receiver, Beats], None]) -> None:
    """Tell stories that mostly wait at the same time, each with a receiver and a heartbeat's hearer of its own."""

    def tell(story: Callable[[Receiver, Beats], None]) -> None:
        with receiving() as receiver, listening() as beats:
            story(receiver, beats)

    with ThreadPoolExecutor(len(stories)) as pool:
        for told in [pool.submit(tell, story) for story in stories]:
            told.result()


class PlantedBridge(BridgeProcess):
    """Faults come with `plant` and go with `unplant`."""

    def __init__(self, folder: Path, bounds: dict[str, float]) -> None:
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).strip(os.pathsep)
        super().__init__(folder, free_port(), {"PYTHONPATH": path})
        self.program = ["-m", "tests.faults.planted", json.dumps(bounds)]

    def plant(self, fault: str, text: str = "") -> None:
        path = self.folder / "faults" / fault
        fresh = path.with_name(f".{fault}")
        fresh.write_text(text)
        fresh.rename(path)

    def unplant(self, fault: str) -> None:
        (self.folder / "faults" / fault).unlink()

    def names(self, trouble: str) -> bool:
        return trouble in troubles(self)


@contextmanager
def planted(
    folder: Path, receiver: Receiver, beats: Beats, text: str = MAIN, **bounds: float
) -> Iterator[PlantedBridge]:
    """A running bridge in which faults can be planted. Killed at the end, if it still runs."""
    (folder / "routes").mkdir(parents=True)
    (folder / "faults").mkdir()
    bridge = PlantedBridge(folder, {**BOUNDS, **bounds})
    write_main(folder, text.replace("PORT", str(bridge.port)).replace("BEATS", beats.url), receiver.url)
    try:
        bridge.start()
        yield bridge
    finally:
        if bridge._process is not None and bridge._process.poll() is None:
            bridge.kill()
