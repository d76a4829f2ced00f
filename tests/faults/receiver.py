"""A receiver in a thread of its own, for tests that drive processes: it keeps the alerts it was told of."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver(ThreadingHTTPServer):
    """Takes Alertmanager's payload at any path; `told` maps a path to the alert names that came there, in order.

    While `closed` it answers 503.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: dict[str, list[str]] = {}
        self.summaries: list[str] = []
        self.closed = False
        self.url = f"http://127.0.0.1:{self.server_port}"

    def names(self, path: str = "/") -> set[str]:
        return set(self.told.get(path, ()))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        payload = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.server.closed:
            told = self.server.told.setdefault(self.path, [])
            for alert in payload["alerts"]:
                told.append(alert["labels"]["alertname"])
                self.server.summaries.append(alert["annotations"].get("summary", ""))
        self.send_response(503 if self.server.closed else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Says nothing."""


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
