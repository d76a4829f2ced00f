"""The cases that are not random, as checks of `make faults`: each runs its part of the pytest suite in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec

from tests.faults.forks import ROOT
from tests.faults.results import Result


class Directed(msgspec.Struct, frozen=True):
    """A part of `tests/faults`; `quick` says whether the short form has time for it (`make test` runs all of them)."""

    name: str
    files: tuple[str, ...]
    quick: bool = False

    def run(self, folder: Path) -> Result:
        """Run it; a case that is skipped for want of a program is a problem here."""
        folder.mkdir()
        report = folder / "report.xml"
        files = [f"tests/faults/{file}.py" for file in self.files]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *files]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if not report.exists():
            return Result({}, [ran.stdout[-500:] + ran.stderr[-500:]])
        suite = ET.parse(report).getroot()[0]
        problems = [
            f"{case.get('name')}: {(bad.get('message') or '')[:200]}"
            for case in suite.iter("testcase")
            for bad in case
            if bad.tag in {"failure", "error", "skipped"}
        ]
        return Result({"cases": float(suite.get("tests", "0"))}, problems)


DIRECTED = (
    Directed("crash-points", ("test_crash_points",)),
    Directed("full-and-locked-disk", ("test_disk",), quick=True),
    Directed("slow-and-silent-channels", ("test_channels_that_fail", "test_channels_that_hang")),
    Directed("limiting-and-lying-channels", ("test_channels_that_limit", "test_channels_that_lie")),
    Directed("clock-jumps", ("test_clock",), quick=True),
    Directed("poison", ("test_plugins_that_fail",), quick=True),
    Directed("lifecycle", ("test_lifecycle",)),
    Directed("overload-and-storms", ("test_overload", "test_storms")),
    Directed("self-watch", ("test_watch", "test_watch_shared", "test_blocked")),
    Directed("backup-and-restore", ("test_restore",)),
)
