"""One bridge a database file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from bridge.domain.errors import StorageError


class FileLock:
    """An flock on `<database file>.lock`, held as long as the process lives. The kernel frees it at any death."""

    def __init__(self, database: Path) -> None:
        """The file itself is what is locked, by whatever links it is reached."""
        file = database.resolve()
        self.path = file.with_name(file.name + ".lock")
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StorageError: another process holds it; the message names the file and the holder.
            OSError: this file system has no such locks, or the file cannot be written.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise StorageError(
                f"{self.path} is locked by process {holder}: one bridge a database file. "
                "Stop the other bridge, or give this one its own storage.url."
            ) from error
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
