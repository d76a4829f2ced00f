"""Fire drills are kept as they are put, and of their results the last ones."""

from __future__ import annotations

from bridge.storage import drills
from bridge.storage.database import Database
from bridge.storage.drills import Planned, Result
from tests.contract.storage.making import MINUTE, do, look
from tests.contract.storage.units import NOW


async def test_one_is_read_as_it_was_put_and_put_again(database: Database) -> None:
    await do(database, drills.add, Planned("page"))
    assert await look(database, drills.get, "page") == Planned("page")
    running = Planned("page", NOW + MINUTE, "0001", NOW, 7)
    await do(database, drills.put, running)
    assert await look(database, drills.every) == [running]
    await do(database, drills.drop, "page")
    assert await look(database, drills.get, "page") is None


async def test_the_last_results_of_each_are_kept(database: Database) -> None:
    async def fill(tx: drills.Tx) -> None:
        for number in range(130):
            await drills.keep(tx, Result(f"{number:04}", "page", NOW, "failed", 5, -1, "late"))
        await drills.keep(tx, Result("0000", "other", NOW, "passed"))

    await database.write(fill)
    found = await look(database, drills.results, "page", 1000)
    assert [result.run for result in found] == [f"{number:04}" for number in range(129, 29, -1)]
    assert found[0] == Result("0129", "page", NOW, "failed", 5, -1, "late")
    assert len(await look(database, drills.results, "page", 3)) == 3
    assert len(await look(database, drills.results, "other", 3)) == 1
