"""Runs one program: input on standard input, a time limit, the end of what it wrote on standard error.

The input is a file without a name in memory, not a pipe: a program that does not read it, or leaves a child behind
that holds it open, can neither block the bridge nor fail by a broken pipe. The event loop's own subprocesses are not
used: they wait for pipes as well as for the process, and uvloop's hand to /bin/sh what the kernel cannot execute.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

_KEPT = 4096
_HURRY_SECONDS = 0.5
_MOST_AT_ONCE = 65536


class Finished(Struct, frozen=True):
    """`code` is the exit code, or the negative number of the signal that ended it. `errors` is the end of stderr."""

    code: int
    errors: str
    out_of_time: bool = False


async def run(
    program: Path,
    arguments: Sequence[str],
    *,
    data: bytes,
    environment: Mapping[str, str],
    limit: float,
    grace: float,
) -> Finished:
    """Runs `program` (a path, resolved already) with `arguments`, of which the first is the name it sees as its own.

    It leads a process group of its own. After `limit` seconds the group gets TERM, after `grace` more KILL. A child
    that it leaves behind on a normal end is left alone. Cancelling sends TERM and, half a second later, KILL.

    Raises:
        OSError: the program cannot be started.
    """
    tail = _Tail()
    try:
        process = _start(program, arguments, data, environment, tail)
        try:
            out_of_time = await _wait(process, limit, grace)
        except asyncio.CancelledError:
            await _hurry(process, min(grace, _HURRY_SECONDS))
            raise
        return Finished(process.wait(), tail.text(), out_of_time)
    finally:
        tail.close()


def _start(
    program: Path, arguments: Sequence[str], data: bytes, environment: Mapping[str, str], tail: _Tail
) -> subprocess.Popen[bytes]:
    source = _nameless(data)
    try:
        return subprocess.Popen(  # noqa: S603 - the program is allow-listed, the arguments are the configuration's
            arguments,
            executable=program,
            stdin=source,
            stdout=subprocess.DEVNULL,
            stderr=tail.writer,
            env=environment,
            start_new_session=True,
        )
    finally:
        os.close(source)
        tail.started()


async def _wait(process: subprocess.Popen[bytes], limit: float, grace: float) -> bool:
    """Waits for the end; True if it had to be brought about."""
    with suppress(TimeoutError):
        async with asyncio.timeout(limit):
            await _ended(process)
            return False
    _signal(process, signal.SIGTERM)
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await _ended(process)
    # Also after a tidy end: children that ignored TERM belong to the group still.
    _signal(process, signal.SIGKILL)
    await _ended(process)
    return True


async def _hurry(process: subprocess.Popen[bytes], grace: float) -> None:
    """As much politeness as a cancelled attempt has time for."""
    _signal(process, signal.SIGTERM)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await _ended(process)
    finally:
        _signal(process, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(grace):
            await _ended(process)
    process.poll()


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Returns when the process has ended; it is not reaped, so its number stays its own."""
    try:
        descriptor = os.pidfd_open(process.pid) if sys.platform == "linux" else -1
    except OSError:
        descriptor = -1
    if descriptor < 0:  # an old kernel, a strict sandbox or another system
        await asyncio.to_thread(process.wait)
        return
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(descriptor, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole group, whose id is the leader's; nothing happens if all of it has ended."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _nameless(data: bytes) -> int:
    """A file descriptor that reads `data` from its beginning and belongs to no file name."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("alertbridge")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


class _Tail:
    """Standard error's last 4 KiB. It does not wait for the pipe's end, which a lingering child may never let come."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._kept = b""
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._writer_open = True
        self._loop.add_reader(self._reader, self._read)

    def started(self) -> None:
        """The program has its end of the pipe, or will never have it: ours is not needed any more."""
        if self._writer_open:
            os.close(self.writer)
            self._writer_open = False

    def text(self) -> str:
        """What was written until now, cut at the front."""
        while self._read() == _MOST_AT_ONCE:
            pass
        return self._kept.decode("utf-8", "replace")

    def close(self) -> None:
        self.started()
        self._loop.remove_reader(self._reader)
        os.close(self._reader)

    def _read(self) -> int:
        try:
            chunk = os.read(self._reader, _MOST_AT_ONCE)
        except BlockingIOError:
            return 0
        if not chunk:
            self._loop.remove_reader(self._reader)
        self._kept = (self._kept + chunk)[-_KEPT:]
        return len(chunk)
