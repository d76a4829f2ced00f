"""Heartbeats are kept as they are put, and move along with the clock."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from bridge.storage import heartbeats, watch
from bridge.storage.database import Database
from bridge.storage.heartbeats import Heartbeat
from tests.contract.storage.making import MINUTE, do, look
from tests.contract.storage.units import NOW

NEW = Heartbeat("backup", NOW)
MISSING = Heartbeat("backup", NOW, NOW + MINUTE, NOW + 3 * MINUTE, NOW + 2 * MINUTE, excused=True, timer=7)


async def test_one_is_read_as_it_was_put_and_put_again(database: Database) -> None:
    await do(database, heartbeats.add, NEW)
    assert await look(database, heartbeats.get, "backup") == NEW
    await do(database, heartbeats.add, replace(NEW, name="archive"))
    await do(database, heartbeats.put, MISSING)
    assert await look(database, heartbeats.every) == [replace(NEW, name="archive"), MISSING]


async def test_one_that_is_dropped_is_gone(database: Database) -> None:
    await do(database, heartbeats.add, NEW)
    await do(database, heartbeats.drop, "backup")
    assert await look(database, heartbeats.get, "backup") is None


async def test_what_was_heard_moves_along_with_the_clock(database: Database) -> None:
    await do(database, heartbeats.add, MISSING)
    await do(database, watch.shift, timedelta(hours=1), NOW)
    hour = timedelta(hours=1)
    assert await look(database, heartbeats.get, "backup") == Heartbeat(
        "backup", NOW, NOW + MINUTE + hour, NOW + 3 * MINUTE + hour, NOW + 2 * MINUTE + hour, excused=True, timer=7
    )
