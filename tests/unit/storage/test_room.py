"""Room on the disk, and file systems that are no place for a database."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.domain.errors import StorageError
from bridge.storage.network import file_system, refuse_network
from bridge.storage.room import Room

MIB = 2**20
MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/root rw
30 22 0:40 / /data rw - nfs4 server:/export rw
31 30 0:41 / /data/local rw - xfs /dev/sdb rw
32 22 0:42 / /with\\040space rw - fuse.sshfs host: rw
"""


class Disk:
    """A disk with so much free, and a clock."""

    def __init__(self, database: Path, total: int) -> None:
        self.free = self.total = total
        self.now = 0.0
        self.room = Room(database, statvfs=self.statvfs, monotonic=lambda: self.now)

    def statvfs(self, _folder: Path) -> os.statvfs_result:
        return SimpleNamespace(f_bavail=self.free // 4096, f_frsize=4096, f_blocks=self.total // 4096)  # type: ignore[return-value]

    def later(self) -> Room:
        self.now += 1.0
        return self.room


def test_below_the_mark_the_disk_counts_as_full_and_above_it_not(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "bridge.db", 10_000 * MIB)
    disk.later().keep()
    assert disk.room.full() == ""
    disk.free = 31 * MIB
    assert "31744 KiB are free" in disk.later().full()
    disk.free = 33 * MIB
    assert disk.later().full() == ""
    disk.room.give()
    assert disk.later().full() != "", "what the ballast gave back is not for requests"
    disk.free = 49 * MIB
    assert disk.later().full() == ""


def test_a_small_disk_has_a_small_mark(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "bridge.db", 16 * MIB)
    disk.later().keep()
    disk.free = 3 * MIB
    assert disk.room.full() == ""
    disk.free = 1 * MIB
    assert disk.later().full() != ""


def test_the_disk_is_looked_at_now_and_then_only(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "bridge.db", 100 * MIB)
    assert disk.later().full() == ""
    disk.free = 0
    disk.now += 0.01
    assert disk.room.full() == ""
    assert disk.later().full() != ""


def test_the_ballast_is_made_where_there_is_room_given_up_once_and_made_again(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "bridge.db", 16 * MIB)
    disk.later().keep()
    assert disk.room.ballast.stat().st_size == 2 * MIB
    assert disk.room.ballast.stat().st_mode & 0o777 == 0o600
    assert disk.room.give()
    assert not disk.room.give()
    disk.free = 5 * MIB
    disk.later().keep()
    assert not disk.room.ballast.exists()
    disk.free = 6 * MIB
    disk.later().keep()
    assert disk.room.ballast.exists()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/var", "ext4"),
        ("/data/x", "nfs4"),
        ("/data/local/x", "xfs"),
        ("/with space/x", "fuse.sshfs"),
        ("/database", "ext4"),
    ],
)
def test_the_file_system_is_that_of_the_nearest_mount(folder: str, kind: str) -> None:
    assert file_system(Path(folder), MOUNTS) == kind


def test_a_network_file_system_is_refused_and_a_local_one_is_not(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 /dev/root rw\n2 1 0:2 / {tmp_path} rw - cifs //server/share rw\n")
    with pytest.raises(StorageError, match=r"network file system \(cifs\).*use PostgreSQL"):
        refuse_network(tmp_path, mounts)
    refuse_network(tmp_path.parent, mounts)
    refuse_network(tmp_path, tmp_path / "no such file")
