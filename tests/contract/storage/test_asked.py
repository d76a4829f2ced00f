"""What services asked for is noted once for each channel, and forgotten in time; the same on both databases."""

from __future__ import annotations

from datetime import timedelta

from bridge.storage import asked, incidents
from bridge.storage.database import Database
from tests.contract.storage.making import do, look
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
