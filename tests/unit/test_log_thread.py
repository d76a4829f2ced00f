"""Output that blocks holds up nobody; what does not fit is counted, and nothing else is lost or out of order."""

from __future__ import annotations

import logging
import os
import re
from concurrent.futures import CancelledError
from io import StringIO
from threading import Event

import pytest

from bridge.observe.detached import Detached
from bridge.observe.log_thread import LogThread

LINE = "x" * 999
CONFESSED = re.compile(r"lines_dropped: (\d+) lines are missing")


class Pipe:
    """A pipe that takes 64 KiB, and then nothing until it is read."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")

    def read_to_end(self) -> list[str]:
        self.stream.close()
        with os.fdopen(self.reading, encoding="utf-8") as file:
            return file.read().splitlines()

    def drain(self, until: Event) -> list[bytes]:
        """Read while others write."""
        pieces = []
        while not until.is_set():
            pieces.append(os.read(self.reading, 65_536))
        return pieces


@pytest.fixture
def pipe() -> Pipe:
    return Pipe()


def record(text: str) -> logging.LogRecord:
    return logging.LogRecord("test", logging.INFO, "", 0, text, None, None)


def test_lines_are_written_in_their_order_and_a_flush_waits_for_them(pipe: Pipe) -> None:
    handler = LogThread(pipe.stream)
    for number in range(50):
        handler.emit(record(str(number)))
    handler.flush()
    assert handler.behind() == 0
    assert pipe.read_to_end() == [str(number) for number in range(50)]


def test_a_pipe_that_nobody_reads_stops_nobody_and_says_afterwards_what_is_missing(pipe: Pipe) -> None:
    handler = LogThread(pipe.stream, most=20_000)
    for _line in range(200):
        handler.emit(record(LINE))
    assert handler.behind() > 0
    dropped = handler.dropped
    assert 90 <= dropped < 200, "64 KiB are in the pipe, 20 kB wait, the rest is gone"

    over = Event()
    reader = Detached("reader")
    pieces: list[bytes] = []
    read = reader.submit(lambda: pieces.extend(pipe.drain(over)))
    while handler.behind():
        handler.flush()
    over.set()
    handler.emit(record("the last"))  # wakes the reader, if it still reads
    handler.flush()
    read.result(10)
    lines = b"".join(pieces).decode().splitlines()
    lines += pipe.read_to_end()
    assert lines[-1] == "the last"
    missing = [
        int(found[1]) for line in lines if (found := CONFESSED.match(line))
    ]  # more than one, if the writer got a turn
    assert sum(missing) == dropped == handler.dropped
    assert [line for line in lines if not CONFESSED.match(line)] == [LINE] * (200 - dropped) + ["the last"]


def test_a_stream_that_is_closed_drops_and_counts(pipe: Pipe) -> None:
    stream = StringIO()
    handler = LogThread(stream)
    stream.close()
    handler.emit(record("gone"))
    handler.flush()
    assert handler.dropped == 1
    os.close(pipe.reading)
    pipe.stream.close()


def test_what_was_given_up_before_its_turn_is_left_out() -> None:
    detached = Detached("test")
    go, done = Event(), []
    detached.submit(lambda: go.wait(10) and None)
    given_up = detached.submit(lambda: done.append("given up"))
    kept = detached.submit(lambda: done.append("kept"))
    assert given_up.cancel()
    assert not detached.settle(0.01)
    go.set()
    kept.result(10)
    assert done == ["kept"]
    with pytest.raises(CancelledError):
        given_up.result()


def test_whatever_is_raised_is_for_whoever_asked_and_the_next_goes_on() -> None:
    detached = Detached("test")

    def fails() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        detached.submit(fails).result(10)
    assert detached.settle(10)
