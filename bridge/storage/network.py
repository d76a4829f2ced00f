"""File systems on which a database file is not safe: their locks are promises of another machine."""

from __future__ import annotations

from pathlib import Path

from bridge.domain.errors import StorageError

_NETWORK = frozenset(
    {
        "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2", "gfs2",
        "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.blobfuse2",
        "fuse.davfs", "davfs",
    }
)  # fmt: skip
_MOUNTS = Path("/proc/self/mountinfo")


def refuse_network(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Refuse a folder on a network file system. Where the kernel does not say (no `/proc`), nothing is refused.

    Raises:
        StorageError: the folder lies on one; the message says what to do.
    """
    try:
        kind = file_system(folder.resolve(), mounts.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return
    if kind in _NETWORK:
        raise StorageError(
            f"{folder} is on a network file system ({kind}), whose locks and syncs SQLite cannot rely on: alerts would be lost. "
            "Put the database on a disk of this machine, or use PostgreSQL (storage.url: postgresql://…)."
        )


def file_system(folder: Path, mounts: str) -> str:
    """The type of the file system a folder lies on, after the text of `/proc/self/mountinfo` (proc(5)); empty if unknown."""
    best = (-1, "")
    for line in mounts.splitlines():
        left, _gap, right = line.partition(" - ")
        fields = left.split(" ")
        if len(fields) < 5 or not right:
            continue
        place = Path(fields[4].encode("latin-1", "replace").decode("unicode_escape"))
        if (
            folder.is_relative_to(place) and len(place.parts) >= best[0]
        ):  # of several mounts of one place the last counts
            best = (len(place.parts), right.split(" ")[0])
    return best[1]
