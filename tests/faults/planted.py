"""A bridge with faults planted in it, which come and go with files: `python -m tests.faults.planted BOUNDS serve …`.

Everything else is the bridge as users run it. `BOUNDS` is JSON: the bounds of its watch, and the `limit` of its watchdog.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bridge.__main__ import main
from bridge.app import selfwatch, serve, watchdog
from bridge.app.trail import Trail
from bridge.audit import checkpoint
from bridge.domain.errors import StorageBusy
from bridge.engine.backlog import Backlog
from bridge.engine.sender import Sender
from bridge.engine.sweeper import Sweeper
from bridge.engine.timekeeper import Timekeeper
from bridge.engine.watch import Bounds
from bridge.storage.sqlite_group import Group

FAULTS = Path("faults")
CLOCK = FAULTS / "clock"


def there(name: str) -> bool:
    return (FAULTS / name).exists()


class SetClock:
    """The machine's clock, off by as many seconds as the file says."""

    def now(self) -> datetime:
        try:
            off = float(CLOCK.read_text() or 0)
        except FileNotFoundError:
            off = 0.0
        return datetime.now(UTC) + timedelta(seconds=off)


def hanging(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    async def instead(*arguments: object) -> object:
        while there(name):  # noqa: ASYNC110 - it is told by a file
            await asyncio.sleep(0.02)
        return await step(*arguments)

    return instead


def skipping(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    async def instead(*arguments: object) -> object:
        return 0 if there(name) else await step(*arguments)

    return instead


def dying(name: str, step: Callable[..., Any]) -> Callable[..., Any]:
    async def instead(*arguments: object) -> object:
        if there(name):
            raise SystemExit(3)
        return await step(*arguments)

    return instead


def failing(commit: Callable[..., Any]) -> Callable[..., Any]:
    def instead(group: Group, jobs: list[Any], sink: object) -> Iterable[Any]:
        if there("writer-dies"):
            raise SystemExit(3)
        if there("commits-fail"):
            return [(job, None, StorageBusy("planted")) for job in jobs]
        return commit(group, jobs, sink)

    return instead


def plant(bounds: dict[str, float]) -> None:
    watchdog.LIMIT = bounds.pop("limit", watchdog.LIMIT)
    serve.SystemClock = SetClock  # type: ignore[misc]
    selfwatch.BOUNDS = Bounds(**bounds)
    checkpoint.PERIOD = timedelta(seconds=1)
    Sender.step = hanging("sender-hangs", Sender.step)  # type: ignore[method-assign]
    Backlog.step = hanging("backlog-hangs", Backlog.step)  # type: ignore[method-assign]
    Sweeper.step = dying("sweeper-dies", Sweeper.step)  # type: ignore[method-assign]
    Timekeeper.step = skipping("timekeeper-skips", Timekeeper.step)  # type: ignore[method-assign]
    Trail.checkpoint_if_due = skipping("nobody-signs", Trail.checkpoint_if_due)  # type: ignore[method-assign]
    Group.commit = failing(Group.commit)  # type: ignore[method-assign]


if __name__ == "__main__":
    plant(json.loads(sys.argv.pop(1)))
    main()
