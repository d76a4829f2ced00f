"""The command as a process, because exit codes and standard error are what scripts see."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from msgspec import Struct


class Ran(Struct):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def documents(self) -> list[Any]:
        """Standard output as JSON, one document a line."""
        return [json.loads(line) for line in self.out.splitlines()]


async def alertbridge(*arguments: str, **environment: str) -> Ran:
    """Run `alertbridge ARGUMENTS` without a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALERTBRIDGE_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bridge",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=kept | environment,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Ran(process.returncode or 0, out.decode(), err.decode())
