"""Bugs that are planted to see whether the checks find them: `python -m tests.faults.bugs NAME[,NAME] serve …`.

Each replaces one thing in the process that runs the bridge; the product has no switch for any of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from typing import Any

BUGS: dict[str, Callable[[], None]] = {}
"""Name → what plants it."""


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def plant(names: str) -> None:
    """Plant each of these, separated by commas."""
    for name in names.split(","):
        BUGS[name]()


@bug
def checkpoint_often() -> None:
    """No bug: the write-ahead log is moved after a few commits, so that a short trace has checkpoints in it."""
    from bridge.storage import sqlite

    for name in ("_CHECKPOINT_CHANGES", "_CHECKPOINT_CHANGES_IN_A_LULL"):
        setattr(sqlite, name, 60)


@bug
def traceable() -> None:
    """No bug: whoever runs the tests may trace a bridge that runs already."""
    import ctypes

    from bridge.cli import serve

    def instead() -> None:
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)  # PR_SET_PTRACER, PR_SET_PTRACER_ANY

    serve.keep_memory_private = instead


@bug
def failed_sync_is_busy() -> None:
    """The database is used on after a sync failed."""
    from bridge.storage import sqlite_faults

    sqlite_faults._BUSY |= sqlite_faults._FATAL


@bug
def full_disk_is_fatal() -> None:
    """The process ends because the disk is full."""
    from bridge.storage import sqlite_faults

    sqlite_faults._FATAL |= {sqlite3.SQLITE_FULL}
    sqlite_faults._BUSY -= {sqlite3.SQLITE_FULL}


def _pragma(text: str) -> None:
    from bridge.storage.sqlite import SqliteDatabase

    connect = SqliteDatabase._connect

    def instead(self: SqliteDatabase, **how: Any) -> sqlite3.Connection:
        connection = connect(self, **how)
        connection.execute(f"PRAGMA {text}")
        return connection

    SqliteDatabase._connect = instead  # type: ignore[method-assign]


@bug
def synchronous_normal() -> None:
    """A commit is not synced."""
    _pragma("synchronous = NORMAL")


@bug
def synchronous_off() -> None:
    """Nothing is synced."""
    _pragma("synchronous = OFF")


@bug
def checkpoint_without_sync() -> None:
    """The log is reused before what was moved out of it is on disk."""
    from bridge.storage.sqlite import SqliteDatabase

    empty = SqliteDatabase._empty_log

    def instead(self: SqliteDatabase, connection: sqlite3.Connection, mode: str) -> None:
        connection.execute("PRAGMA synchronous = OFF")
        empty(self, connection, mode)
        connection.execute("PRAGMA synchronous = FULL")

    SqliteDatabase._empty_log = instead  # type: ignore[method-assign]


@bug
def acknowledge_before_commit() -> None:
    """The sender is told that its alert is kept before it is."""
    from bridge.engine.intake import Intake
    from bridge.engine.views import Accepted

    keep = Intake._keep
    tasks = set()

    async def instead(self: Intake, webhook: Any, *rest: Any) -> Accepted:
        task = asyncio.create_task(keep(self, webhook, *rest))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return Accepted("1", len(webhook.alerts), 0, 0)

    Intake._keep = instead  # type: ignore[method-assign]


if __name__ == "__main__":
    from bridge.cli.main import main

    plant(sys.argv.pop(1))
    main()
