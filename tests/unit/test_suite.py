"""The rules that the root conftest and the pytest configuration put on every other test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs
from tests.programs import Need

ROOT = Path(__file__).resolve().parents[2]

SKIPPED = """
import pytest
def test_needs_something():
    pytest.skip("no such thing here")
"""
SKIPPED_MODULE = """
import pytest
pytest.importorskip("a_module_that_does_not_exist")
"""
LEAKED_FILE = """
import gc
def test_forgets_a_file():
    open(__file__)
    gc.collect()
"""
LEAKED_TASK = """
import asyncio, gc
async def fail():
    raise ValueError("nobody looks")
async def test_forgets_a_task():
    task = asyncio.ensure_future(fail())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
"""


def run_suite(folder: Path, text: str, ci: str) -> subprocess.CompletedProcess[str]:
    """Run one test file under this project's configuration and root conftest."""
    (folder / "test_sample.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)]
    command += ["-p", "tests.conftest", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False)


def test_a_skip_is_allowed_and_named_on_a_developers_machine(tmp_path: Path) -> None:
    result = run_suite(tmp_path, SKIPPED, ci="")
    assert result.returncode == 0
    assert "no such thing here" in result.stdout


@pytest.mark.parametrize("text", [SKIPPED, SKIPPED_MODULE], ids=["test", "module"])
def test_a_skip_is_a_failure_in_continuous_integration(tmp_path: Path, text: str) -> None:
    result = run_suite(tmp_path, text, ci="true")
    assert result.returncode != 0
    assert "nothing may be skipped when CI=true" in result.stdout


@pytest.mark.parametrize("text", [LEAKED_FILE, LEAKED_TASK], ids=["file", "task"])
def test_a_leak_fails_the_test_that_made_it(tmp_path: Path, text: str) -> None:
    result = run_suite(tmp_path, text, ci="")
    assert result.returncode == 1, result.stdout
    assert "1 failed" in result.stdout


def test_a_missing_program_is_named_with_its_package() -> None:
    need = Need("imaginary", ("no-such-program",), "no-such-package", "")
    assert need.missing() == "no-such-program is not installed (Debian package no-such-package)"


def test_a_program_that_is_too_old_does_not_count() -> None:
    need = Need("imaginary", ("sh",), "a-package", " >= 9", fits=lambda _program: False)
    assert "is too old (needed: a-package >= 9)" in need.missing()


def test_what_make_test_unpacks_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "usr" / "bin" / "unpacked-tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setattr(programs, "UNPACKED", tmp_path)
    assert programs.find("unpacked-tool") == str(tool)
