"""What a unit of work may rely on, whatever the database."""

from __future__ import annotations

import asyncio

import pytest

from bridge.domain.audit import Kind, Record
from bridge.domain.errors import StorageBusy
from bridge.storage import journal
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.conftest import Hold, Opener
from tests.contract.storage.units import (
    NOW,
    Poison,
    chained,
    details,
    fact,
    once_in_vain,
    poison,
    put,
    together,
)


async def test_a_unit_gives_its_result_after_the_commit(database: Database) -> None:
    assert await database.write(put("a", "1")) == "a"
    assert await fact(database, "a") == "1"


async def test_a_unit_sees_its_own_writes(database: Database) -> None:
    async def unit(tx: Tx) -> str | None:
        await journal.set_fact(tx, "a", "1")
        return await journal.fact(tx, "a")

    assert await database.write(unit) == "1"


async def test_nothing_of_a_unit_that_fails_is_kept(database: Database) -> None:
    chained(database)
    with pytest.raises(Poison):
        await database.write(poison("a"))
    assert await fact(database, "a") is None
    assert await details(database) == []


@pytest.mark.parametrize("fault", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
async def test_whatever_a_unit_raises_is_an_ordinary_error_for_whoever_waits(
    database: Database, fault: BaseException
) -> None:
    """A SystemExit would end the loop, a CancelledError would look like a cancellation of the one who waits."""
    with pytest.raises(RuntimeError, match=type(fault).__name__):
        await asyncio.wait_for(database.write(poison("a", fault)), 30)
    assert await database.write(put("b", "1")) == "b"


async def test_a_unit_that_waits_for_something_else_fails_and_the_next_one_runs(database: Database) -> None:
    async def unit(tx: Tx) -> None:
        await journal.set_fact(tx, "a", "1")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="only its transaction"):
        await database.write(unit)
    assert await fact(database, "a") is None
    assert await database.write(put("b", "1")) == "b"


async def test_one_failing_unit_of_a_hundred_fails_alone(database: Database) -> None:
    chained(database)
    units = [poison("bad") if n == 40 else put(f"n{n}", str(n), record=True) for n in range(100)]
    results = await together(*(database.write(unit) for unit in units))

    assert [n for n, result in enumerate(results) if isinstance(result, Exception)] == [40]
    assert isinstance(results[40], Poison)
    assert [await fact(database, f"n{n}") for n in range(100) if n != 40] == [str(n) for n in range(100) if n != 40]
    assert await fact(database, "bad") is None


async def test_records_of_a_failed_unit_are_not_in_the_audit_and_every_other_is_there_once(
    database: Database,
) -> None:
    chain = chained(database)
    units = [poison(f"n{n}") if n % 7 == 3 else put(f"n{n}", "", record=True) for n in range(60)]
    await together(*(database.write(unit) for unit in units))

    assert await details(database) == [f"n{n}" for n in range(60) if n % 7 != 3]
    assert chain.head.seq == 60 - len(range(3, 60, 7))


async def test_a_unit_that_runs_twice_is_stored_once(database: Database) -> None:
    """A group whose poison raises rolls everything back; what ran before must not leave a trace of its first run."""
    chained(database)

    async def count(tx: Tx) -> int:
        number = int(await journal.fact(tx, "counter") or 0) + 1
        await journal.set_fact(tx, "counter", str(number))
        tx.record(Record(NOW, Kind.RECEIVED, detail=str(number)))
        return number

    units = [*([count] * 30), poison("bad"), *([count] * 30)]
    results = await together(*(database.write(unit) for unit in units))

    assert [result for result in results if not isinstance(result, Exception)] == list(range(1, 61))
    assert await fact(database, "counter") == "60"
    assert await details(database) == [str(n) for n in range(1, 61)]


async def test_a_unit_that_fails_only_in_the_first_run_of_its_group_is_kept(database: Database) -> None:
    chained(database)
    unit = once_in_vain(put("a", "1", record=True), Poison("first run"))
    results = await together(database.write(put("b", "2", record=True)), database.write(unit))

    assert results == ["b", "a"]
    assert await details(database) == ["b", "a"]


async def test_rows_are_not_kept_when_the_audit_cannot_be_written(database: Database) -> None:
    """The audit fails closed: no change of state without its record."""

    class Broken:
        def seal(self, *_records: object, **_after: object) -> list[tuple[str, ...]]:
            raise OSError("no more audit")

        def commit(self) -> None: ...
        def rollback(self) -> None: ...

    database.chain(Broken())
    results = await together(database.write(put("a", "1", record=True)), database.write(put("b", "1")))

    assert isinstance(results[0], OSError)
    assert results[1] == "b"
    assert await fact(database, "a") is None
    assert await fact(database, "b") == "1"


async def test_a_record_before_there_is_a_chain_fails_its_unit(database: Database) -> None:
    with pytest.raises(RuntimeError, match="before the chain"):
        await database.write(put("a", "1", record=True))
    assert await fact(database, "a") is None


async def test_units_are_committed_in_the_order_in_which_they_were_asked_for(database: Database) -> None:
    chained(database)
    await together(*(database.write(put("last", str(n), record=True)) for n in range(700)))
    assert await fact(database, "last") == "699"
    assert await details(database) == ["last"] * 700


async def test_a_reader_sees_one_state_from_its_first_look_on(database: Database, hold: Hold) -> None:
    """The read begins, a write is committed, the read looks again: it sees what it saw."""
    await database.write(put("a", "old"))
    loop = asyncio.get_running_loop()
    looked, written = asyncio.Event(), asyncio.Event()

    async def unit(tx: Tx) -> tuple[str | None, str | None]:
        first = await journal.fact(tx, "a")
        loop.call_soon_threadsafe(looked.set)
        await hold(written)
        return first, await journal.fact(tx, "a")

    reading = asyncio.create_task(database.read(unit))
    await looked.wait()
    await database.write(put("a", "new"))
    written.set()
    assert await reading == ("old", "old")
    assert await fact(database, "a") == "new"


async def test_a_reader_does_not_see_what_is_not_committed(database: Database, hold: Hold) -> None:
    loop = asyncio.get_running_loop()
    written, looked = asyncio.Event(), asyncio.Event()

    async def unit(tx: Tx) -> str | None:
        await journal.set_fact(tx, "a", "1")
        own = await journal.fact(tx, "a")
        loop.call_soon_threadsafe(written.set)
        await hold(looked)
        return own

    writing = asyncio.create_task(database.write(unit))
    await written.wait()
    assert await fact(database, "a") is None
    looked.set()
    assert await writing == "1"


async def test_a_unit_that_only_reads_can_neither_write_nor_record(database: Database) -> None:
    with pytest.raises(Exception, match=r"read-?only"):
        await database.read(put("a", "1"))

    async def record(tx: Tx) -> None:
        tx.record(Record(NOW, Kind.RECEIVED))

    with pytest.raises(RuntimeError, match="record"):
        await database.read(record)
    assert await fact(database, "a") is None
    assert await database.write(put("b", "1")) == "b"


async def test_many_writers_at_once_lose_nothing(database: Database) -> None:
    async def add(tx: Tx) -> None:
        await journal.set_fact(tx, "counter", str(int(await journal.fact(tx, "counter") or 0) + 1))

    async def writer() -> None:
        for _turn in range(25):
            await database.write(add)

    await asyncio.gather(*(writer() for _ in range(40)))
    assert await fact(database, "counter") == "1000"


async def test_who_stops_waiting_withdraws_a_unit_that_has_not_begun(database: Database, hold: Hold) -> None:
    """A request that was answered 503 is sent again; its first unit must not be committed long after."""
    loop = asyncio.get_running_loop()
    begun, withdrawn = asyncio.Event(), asyncio.Event()

    async def stand(tx: Tx) -> None:
        del tx
        loop.call_soon_threadsafe(begun.set)
        await hold(withdrawn)

    holding = asyncio.create_task(database.write(stand))
    await begun.wait()
    waiting = asyncio.create_task(database.write(put("a", "1")))
    await asyncio.sleep(0)
    waiting.cancel()
    await together(waiting)
    withdrawn.set()
    await holding
    await database.write(put("b", "1"))

    assert await fact(database, "a") is None


async def test_a_unit_that_is_committed_though_nobody_waits_any_more_is_told_of(database: Database, hold: Hold) -> None:
    """What follows from a commit (deliveries to send) must not depend on who still waits for it."""
    loop = asyncio.get_running_loop()
    begun, cancelled = asyncio.Event(), asyncio.Event()
    told: list[str] = []

    async def unit(tx: Tx) -> str:
        await journal.set_fact(tx, "a", "1")
        loop.call_soon_threadsafe(begun.set)
        await hold(cancelled)
        return "result"

    waiting = asyncio.create_task(database.write(unit, told.append))
    await begun.wait()
    waiting.cancel()
    await together(waiting)
    cancelled.set()
    await database.write(put("b", "1"))

    assert await fact(database, "a") == "1"
    assert told == ["result"]


async def test_what_follows_a_commit_comes_before_whoever_waits_and_not_after_a_failure(
    database: Database,
) -> None:
    told: list[str] = []
    await database.write(put("a", "1"), told.append)
    assert told == ["a"]
    with pytest.raises(Poison):
        await database.write(poison("b"), told.append)
    assert told == ["a"]


async def test_what_was_committed_is_there_after_it_is_opened_again(reopen: Opener) -> None:
    await (await reopen()).write(put("a", "1"))
    assert await fact(await reopen(), "a") == "1"


async def test_closing_finishes_what_is_queued_and_refuses_what_comes_after(reopen: Opener) -> None:
    database = await reopen()
    writing = [asyncio.create_task(database.write(put(f"n{n}", "1"))) for n in range(300)]
    await asyncio.sleep(0)
    await database.close()

    assert await together(*writing) == [f"n{n}" for n in range(300)]
    with pytest.raises(StorageBusy):
        await database.write(put("late", "1"))
    with pytest.raises(StorageBusy):
        await fact(database, "late")
    database = await reopen()
    assert [await fact(database, f"n{n}") for n in range(300)] == ["1"] * 300
