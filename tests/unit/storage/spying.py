"""What SQLite is told, and by whom."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path

import pytest

_connect = sqlite3.connect


class Spy:
    """Keeps every statement of every connection with the name of the thread that ran it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.statements: list[tuple[str, str]] = []
        self.writer: sqlite3.Connection | None = None
        monkeypatch.setattr(sqlite3, "connect", self._open)

    def _open(self, path: Path, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = _connect(path, **options)
        connection.set_trace_callback(
            lambda statement: self.statements.append((threading.current_thread().name, statement))
        )
        if threading.current_thread().name == "writer":
            self.writer = connection
        return connection

    def count(self, statement: str) -> int:
        return sum(text == statement for _thread, text in self.statements)

    def wait_for(self, statement: str) -> None:
        """Until a statement has begun; in a thread, not on the event loop."""
        end = time.monotonic() + 10
        while not self.count(statement):
            assert time.monotonic() < end, statement
            time.sleep(0.001)

    def who(self, part: str) -> set[str]:
        """The threads that ran a statement with this part in it, their numbers left out."""
        return {thread.rpartition("_")[0] or thread for thread, text in self.statements if part in text}
