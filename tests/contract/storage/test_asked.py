"""What services asked for is noted once for each channel, and forgotten in time; the same on both databases."""

from __future__ import annotations

from datetime import timedelta

from bridge.domain.alert import Status
from bridge.storage import asked, incidents
from bridge.storage.database import Database
from tests.contract.storage.making import do, incident, look
from tests.contract.storage.units import NOW

LATER = NOW + timedelta(days=7, seconds=1)


async def test_a_key_is_noted_once_for_each_channel(database: Database) -> None:
    assert await do(database, asked.first_time, "slack", "k1", NOW)
    assert not await do(database, asked.first_time, "slack", "k1", NOW + timedelta(days=7))
    assert await do(database, asked.first_time, "slack", "k2", NOW)
    assert await do(database, asked.first_time, "telegram", "k1", NOW)


async def test_a_key_may_be_any_text(database: Database) -> None:
    for key in ("", "\0", "\ud800", "k" * 100_000, "é\u2028"):
        assert await do(database, asked.first_time, "slack", key, NOW)
        assert not await do(database, asked.first_time, "slack", key, NOW)


async def test_keys_are_forgotten_after_a_week(database: Database) -> None:
    for number in range(5):
        assert await do(database, asked.first_time, "slack", f"k{number}", NOW)
    assert await do(database, asked.first_time, "slack", "k0", LATER)
    assert not await do(database, asked.first_time, "slack", "k0", LATER)


async def test_a_channel_that_was_told_of_nothing_has_no_incidents(database: Database) -> None:
    assert await look(database, incidents.told_unended, "slack") == []


async def test_the_newest_that_a_channel_was_told_of_is_found(database: Database) -> None:
    states = {"i1": "open", "i2": "open", "i3": "acknowledged", "i4": "resolved", "i5": "open"}
    for name, kept in states.items():
        await do(database, incidents.add, incident(name, kept, group=name))
    told = [(name, "sms", 1, 1, Status.FIRING) for name in ("i1", "i2", "i3", "i4")]
    await do(database, incidents.tell, [*told, ("i5", "chat", 1, 1, Status.FIRING)])
    assert await look(database, incidents.newest_told, "sms") == "i3"
    assert await look(database, incidents.newest_told, "sms", open_only=True) == "i2"
    assert await look(database, incidents.newest_told, "slack") == ""
    assert await look(database, incidents.told_unended, "sms") == ["i3", "i2", "i1"]
