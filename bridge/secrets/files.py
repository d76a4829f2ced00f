"""Reading and writing files that hold keys or secrets."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Collection
from pathlib import Path

from bridge.domain.errors import SecretError

MAX_SIZE = 1 << 20


def permission_problem(status: os.stat_result, uid: int, groups: Collection[int]) -> str | None:
    """Why a key file with this status must not be trusted, or None.

    The rule: a regular file of ours or root's, nothing for others, and at most reading for a group that is ours (the
    mode 0440 a Kubernetes `fsGroup` gives).
    """
    mode = status.st_mode
    if not stat.S_ISREG(mode):
        return "is not a regular file"
    if status.st_uid not in {uid, 0}:
        return f"belongs to user {status.st_uid}, neither to us ({uid}) nor to root"
    if mode & 0o007:
        return f"is open to everybody (mode {stat.S_IMODE(mode):04o}); chmod 600 it"
    if mode & 0o030:
        return f"can be changed by its group (mode {stat.S_IMODE(mode):04o}); chmod 600 it"
    if mode & 0o040 and status.st_gid not in groups:
        return f"can be read by group {status.st_gid}, which is not ours; chmod 600 it"
    return None


def read_private(path: Path) -> bytes:
    """The content of a key file, after its permissions were judged on the open file (symbolic links are followed).

    Raises:
        SecretError: it cannot be read, or its permissions let others at it.
    """
    try:
        # Non-blocking, so that a named pipe in its place cannot hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise SecretError(f"{path}: cannot be read: {error.strerror}") from error
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        problem = permission_problem(os.fstat(descriptor), os.geteuid(), {os.getegid(), *os.getgroups()})
        if problem:
            raise SecretError(f"{path}: {problem}")
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise SecretError(f"{path}: is larger than {MAX_SIZE} bytes")
    return content


def write_atomically(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Replace a file so that a crash leaves the old or the new content, never a mixture, and the new one on disk.

    A symbolic link stays one: the file it points to is replaced. `mode` None keeps mode and owner of the old file.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    target = path.resolve()
    old = target.stat() if mode is None and target.exists() else None
    temporary = _write_beside(target, content, stat.S_IMODE(old.st_mode) if old else (mode or 0o600), old)
    try:
        temporary.replace(target)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)


def create_atomically(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a new file, complete or not at all.

    Raises:
        FileExistsError: there is one already; it is untouched.
        OSError: it could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    target = path.parent.resolve() / path.name
    temporary = _write_beside(target, content, mode, None)
    try:
        os.link(temporary, target)  # unlike a rename, a link never replaces what is there
    finally:
        temporary.unlink()
    sync_directory(target.parent)


def sync_directory(directory: Path) -> None:
    """Make a rename or a new name in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(target: Path, content: bytes, mode: int, owner: os.stat_result | None) -> Path:
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            if owner is not None:
                with contextlib.suppress(PermissionError):  # only root gives files away
                    os.fchown(descriptor, owner.st_uid, owner.st_gid)
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary
