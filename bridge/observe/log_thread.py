"""Logging that waits for nobody: a thread of its own writes the lines, and what does not fit behind a log that takes nothing is dropped."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TextIO

from bridge.observe.detached import Detached, put

MOST = 4_000_000
"""Characters that may wait to be written."""

_AT_THE_END = 2.0


class LogThread(logging.Handler):
    """Takes lines at once. `dropped` counts those for which there was no room; the log itself says how many, once it can."""

    def __init__(self, stream: TextIO, most: int = MOST) -> None:
        super().__init__()
        self.dropped = 0
        self._stream = stream
        self._most = most
        self._detached = Detached("log")
        self._counting = threading.Lock()
        self._waiting = 0
        self._wrote_at = 0.0
        self._confessed = 0

    def behind(self) -> float:
        """For how many seconds a line has been waiting while none was written."""
        with self._counting:
            return time.monotonic() - self._wrote_at if self._waiting else 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the line."""
        try:
            self._confess()
            self._queue(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - as every handler of logging does
            self.handleError(record)

    def flush(self) -> None:
        """Wait until what was logged so far is written, for two seconds at most."""
        if self.behind():
            self._detached.settle(_AT_THE_END)

    def _queue(self, line: str) -> None:
        with self._counting:
            if self._waiting + len(line) > self._most:
                self.dropped += 1
                return
            if not self._waiting:
                self._wrote_at = time.monotonic()
            self._waiting += len(line)
        self._detached.submit(partial(self._write, line))

    def _write(self, line: str) -> None:
        try:
            put(self._stream, line)
        except (OSError, ValueError):
            self.dropped += 1
        finally:
            with self._counting:
                self._waiting -= len(line)
                self._wrote_at = time.monotonic()

    def _confess(self) -> None:
        """Say in the log what is missing from it, when there is room again."""
        missing = self.dropped - self._confessed
        if missing and self._waiting < self._most // 2:
            self._confessed = self.dropped
            text = f"lines_dropped: {missing} lines are missing here, the log took none"
            record = logging.LogRecord("bridge.log", logging.WARNING, "", 0, text, None, None)
            self._queue(self.format(record) + "\n")
