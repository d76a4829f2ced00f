"""Who hears of a storm by its digest, and that it is known who hears of it for the first time."""

from __future__ import annotations

from bridge.storage import storms
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.making import do


async def test_only_the_first_incident_of_a_storm_is_a_channels_first(database: Database) -> None:
    assert await do(database, storms.join, "s", "i1", "people")
    assert not await do(database, storms.join, "s", "i2", "people")
    assert await do(database, storms.join, "s", "i2", "pager")


async def test_whom_a_storm_called_alone_hears_of_it_first_when_it_follows(database: Database) -> None:
    async def called(tx: Tx) -> bool:
        return await storms.join(tx, "s", "i1", "pager", follows=False)

    async def again(tx: Tx) -> bool:
        return await storms.join(tx, "s", "i2", "pager", follows=False)

    assert await database.write(called)
    assert not await database.write(again)
    assert await do(database, storms.join, "s", "i3", "pager")
    assert not await do(database, storms.join, "s", "i4", "pager")
