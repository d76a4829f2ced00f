"""A program that keeps what it reads."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bridge.channels.exec import ExecChannel, ExecOptions
from tests.contract.channels.case import Case
from tests.simulators.server import Told

_CANARY = "exec-canary-token"
_KEEP = """#!/bin/sh
n=$(ls "$HERE" | wc -l)
cat > "$HERE/$n.json"
"""


class ExecChannelOfTests(ExecChannel):
    """With the directories that the application would give it."""

    def __init__(self, name: str, options: ExecOptions) -> None:
        super().__init__(name, options, exec_directories=(Path(options.command[0]).parent,))


@dataclass(frozen=True)
class _Kept:
    url: str

    def told(self) -> list[Told]:
        """Oldest first; the document as text, names and values alike."""
        found = sorted(Path(self.url).glob("kept/*.json"), key=lambda path: int(path.stem))
        return [Told(json.dumps(json.loads(path.read_bytes()), ensure_ascii=False)) for path in found]


@asynccontextmanager
async def _program() -> AsyncIterator[_Kept]:
    with tempfile.TemporaryDirectory() as folder:
        _write_program(Path(folder))
        yield _Kept(folder)


def _write_program(folder: Path) -> None:
    program = folder / "keep"
    program.write_text(_KEEP)
    program.chmod(0o755)
    (folder / "kept").mkdir()


CASE = Case(
    name="exec",
    channel=ExecChannelOfTests,
    idempotency="none",
    service=_program,
    options=lambda folder: {
        "command": [f"{folder or '/nowhere'}/keep"],
        "environment": {"HERE": f"{folder}/kept", "TOKEN": _CANARY},
    },
    canaries=(_CANARY,),
    http=False,
)
