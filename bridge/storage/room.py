"""Room on the disk: requests are refused before it is full, so that what was accepted can still be told and recorded.

Below the mark (32 MiB, less on a small disk; more while the ballast is gone) no request is taken any more, while outcomes, acknowledgements and steps are
still written. At 100 % not even a DELETE or a checkpoint goes (SQLite answers `SQLITE_FULL`); for that hour a ballast file
beside the database is kept, given up when a commit finds no room, and made again when there is enough.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import structlog

_MARK = 32 * 2**20
_BALLAST = 16 * 2**20
_SMALL = 8
"""The mark takes at most this share (an eighth) of a small disk, and so does the ballast."""

_SHARE = 2**40
_LOOK_EVERY = 0.02
_log = structlog.get_logger("bridge.storage")


class Room:
    """What is free where the database lies. `full` is asked by the event loop, the rest by the writer's thread."""

    def __init__(
        self,
        database: Path,
        *,
        statvfs: Callable[[Path], os.statvfs_result] = os.statvfs,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ballast = database.with_name(database.name + ".ballast")
        self._folder = database.parent
        self._statvfs = statvfs
        self._monotonic = monotonic
        self._looked_at = -_LOOK_EVERY
        self._full = ""
        self.share = _SHARE
        """How long the write-ahead log may get: on a small disk an eighth of it."""
        self._kept_at = -_LOOK_EVERY

    def full(self) -> str:
        """Why no request may be taken, with figures; empty if there is room. Looks at the disk at most fifty times a second."""
        now = self._monotonic()
        if now - self._looked_at >= _LOOK_EVERY:
            self._looked_at = now
            self._full = self._judge()
        return self._full

    def keep(self) -> None:
        """Make the ballast if it is missing and there is room for it and for twice the mark; asked often."""
        now = self._monotonic()
        if now - self._kept_at < _LOOK_EVERY:
            return
        self._kept_at = now
        with contextlib.suppress(OSError):
            free, total = self._space()
            size = _ballast(total)
            self.share = max(1, total // _SMALL)
            if not self.ballast.exists() and free >= size + 2 * _mark(total):
                self._write(size)

    def give(self) -> bool:
        """A commit found no room: give the ballast up; whether there was any."""
        self._looked_at = -_LOOK_EVERY
        try:
            self.ballast.unlink()
        except OSError:
            return False
        _log.error("disk_full", gave_up=str(self.ballast))
        return True

    def _judge(self) -> str:
        try:
            free, total = self._space()
        except OSError:  # what cannot be looked at is found out by the commit
            return ""
        mark = _mark(total) if self.ballast.exists() else _mark(total) + _ballast(total)
        if free >= mark:
            return ""
        return f"{free // 1024} KiB are free where the database lies, and {mark // 1024} KiB are kept for what was accepted"

    def _space(self) -> tuple[int, int]:
        """(bytes free for us, bytes in all)."""
        found = self._statvfs(self._folder)
        return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize

    def _write(self, size: int) -> None:
        descriptor = os.open(self.ballast, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            self.ballast.unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)


def _ballast(total: int) -> int:
    return min(_BALLAST, total // _SMALL)


def _mark(total: int) -> int:
    return min(_MARK, total // _SMALL)
