"""Standard output."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from io import StringIO

from bridge.channels.console import ConsoleChannel
from tests.contract.channels.case import Case
from tests.simulators.server import Told

_HEAD = re.compile(r"^──", re.MULTILINE)


class _Screen:
    url = ""

    def __init__(self, screen: StringIO) -> None:
        self._screen = screen

    def told(self) -> list[Told]:
        """A block begins at the margin, its lines are indented: whatever else begins there is an intruder."""
        text = self._screen.getvalue()
        intruders = [line for line in text.splitlines() if line and not line.startswith(("── ", "  "))]
        return [Told(block, tuple(intruders)) for block in _HEAD.split(text)[1:]]


@asynccontextmanager
async def _screen() -> AsyncIterator[_Screen]:
    with redirect_stdout(StringIO()) as screen:
        yield _Screen(screen)


CASE = Case(
    name="console",
    channel=ConsoleChannel,
    idempotency="none",
    service=_screen,
    options=lambda _url: {},
    canaries=("the console has no secret",),
    http=False,
)
