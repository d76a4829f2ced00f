"""Output that may block for ever: a pipe that nobody reads, a terminal that was stopped. It holds up nobody but itself."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TextIO


class Detached:
    """Does one thing after the other in a thread that the end of the process does not wait for."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: deque[tuple[Callable[[], None], Future[None]]] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def submit(self, task: Callable[[], None]) -> Future[None]:
        """Do it after all that was submitted before. Returns at once; a future that is cancelled in time is left out."""
        future: Future[None] = Future()
        with self._changed:
            self._waiting.append((task, future))
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        return future

    def settle(self, within: float) -> bool:
        """Wait until everything submitted so far is done, for so many seconds at most; whether it is."""
        try:
            self.submit(_nothing).result(within)
        except TimeoutError:
            return False
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                task, future = self._waiting.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                task()
            except BaseException as error:  # noqa: BLE001 - it is whoever asked for it that must know
                future.set_exception(error)
            else:
                future.set_result(None)


def put(stream: TextIO, text: str) -> None:
    """Write to a stream and flush it, past its buffer where it is a file: a thread that is stuck must not hold the lock of
    a buffer that the interpreter flushes at its end.

    Raises:
        OSError: it cannot be written.
        ValueError: it is closed.
    """
    data = text.encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace")
    try:
        number = stream.fileno()
    except OSError:  # a file of Python's own
        stream.write(data.decode(getattr(stream, "encoding", None) or "utf-8"))
        stream.flush()
        return
    stream.flush()
    while data:
        data = data[os.write(number, data) :]


def _nothing() -> None:
    return
