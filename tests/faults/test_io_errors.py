"""The disk fails: at a sync the process ends and starts anew, without room it refuses and goes on; nothing is lost.

The runs here are short; `make faults` makes them long.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import io_errors
from tests.faults.io_errors import Fault

pytestmark = pytest.mark.strace
SHORT = [
    Fault("fdatasync", "EIO", 1, stays=False, ends=True),
    Fault("fdatasync", "EIO", 4, stays=True, ends=True),
    Fault("pwrite64", "EIO", 3, stays=False, ends=True),
    Fault("pwrite64", "ENOSPC", 2, stays=True, ends=False),
]


def test_a_disk_that_fails_costs_no_alert(tmp_path: Path) -> None:
    ran = io_errors.run(tmp_path, SHORT, starts=2)
    assert ran.problems == []
    assert ran.injected >= ran.faults == len(SHORT) + 2
    assert ran.ended == 3
    assert ran.accepted > 0 == ran.lost


@pytest.mark.parametrize(
    ("planted", "fault", "says"),
    [
        ("failed-sync-is-busy", SHORT[0], "the process went on as if nothing had happened"),
        ("full-disk-is-fatal", SHORT[3], "the process ended"),
    ],
)
def test_a_bridge_that_takes_a_failure_for_another_is_found_out(
    tmp_path: Path, planted: str, fault: Fault, says: str
) -> None:
    ran = io_errors.run(tmp_path, [fault], starts=0, planted=planted, within=3)
    assert f"{fault}: {says}" in ran.problems
