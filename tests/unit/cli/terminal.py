"""The command on a terminal of its own: what a person types, and what is shown."""

from __future__ import annotations

import asyncio
import os
import pty
import sys

from msgspec import Struct


class Shown(Struct):
    """How a command ended; `screen` is what the terminal got, `out` what went to standard output, which is a pipe."""

    code: int
    out: str
    screen: str


async def on_a_terminal(*arguments: str, typed: str) -> Shown:
    """Run `alertbridge ARGUMENTS` with a terminal as standard input and standard error."""
    ours, theirs = pty.openpty()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ALERTBRIDGE_")}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bridge", *arguments, stdin=theirs, stdout=asyncio.subprocess.PIPE, stderr=theirs,
            env=kept | {"TERM": "xterm", "COLUMNS": "100"},
        )  # fmt: skip
    finally:
        os.close(theirs)
    os.write(ours, typed.encode())
    reading = asyncio.create_task(asyncio.to_thread(_drain, ours))
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
        screen = await reading
    os.close(ours)
    return Shown(process.returncode or 0, out.decode(), screen)


def _drain(terminal: int) -> str:
    parts = []
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts).decode(errors="replace")
