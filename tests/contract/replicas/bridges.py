"""Bridges that share a database and a clock; nothing of them runs by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from tests.bridge_bench import MINIMAL, Bench, Dial, engine


@asynccontextmanager
async def bridges(
    folder: Path, url: str, number: int = 2, text: str = MINIMAL, clock: Dial | None = None
) -> AsyncIterator[list[Bench]]:
    """Engines on the shared database `url`; one on a database of its own if there is none."""
    clock = clock or Dial()
    async with AsyncExitStack() as stack:
        found = []
        for index in range(number):
            own = folder / str(index)
            own.mkdir(exist_ok=True)
            found.append(await stack.enter_async_context(engine(own, text, clock, url)))
        yield found


async def settle(found: list[Bench]) -> None:
    """Turn every bridge's loops, all at once, until none has anything to do."""
    while True:
        before = sum(len(bench.sent) for bench in found)
        for _round in range(2):
            await asyncio.gather(*(bench.settle() for bench in found))
            found[0].clock.turn(seconds=1)  # each bridge looks into the rows once a second
        if sum(len(bench.sent) for bench in found) == before:
            return


def told(found: list[Bench]) -> list[str]:
    """Each message of all bridges as `channel reason`, sorted."""
    return sorted(line for bench in found for line in bench.told())
