"""Business time: what is to happen when."""

from __future__ import annotations

from msgspec.structs import replace

from bridge.storage import timers
from bridge.storage.database import Database
from tests.contract.storage.making import MINUTE, do, look
from tests.contract.storage.units import NOW


async def test_what_is_due_comes_oldest_first(database: Database) -> None:
    assert await look(database, timers.next_due) is None
    late = await do(database, timers.add, "step", NOW + MINUTE, "2", incident="i1")
    soon = await do(database, timers.add, "flush", NOW, "1", incident="i1")
    same = await do(database, timers.add, "alert", NOW, "3", alert=7)
    assert [timer.id for timer in await look(database, timers.due, NOW, 10)] == [soon, same]
    assert [timer.id for timer in await look(database, timers.due, NOW + MINUTE, 10)] == [soon, same, late]
    assert [timer.id for timer in await look(database, timers.due, NOW + MINUTE, 1)] == [soon]
    assert await look(database, timers.next_due) == NOW
    found = await look(database, timers.get, same)
    assert found == timers.Timer(same, "alert", "", 7, NOW, "3")


async def test_whoever_deletes_a_timer_takes_it(database: Database) -> None:
    timer = await do(database, timers.add, "step", NOW, "")
    assert await do(database, timers.delete, timer)
    assert not await do(database, timers.delete, timer)
    assert await look(database, timers.get, timer) is None


async def test_a_timer_that_is_moved_is_due_then(database: Database) -> None:
    timer = await do(database, timers.add, "flush", NOW, "", incident="i1")
    await do(database, timers.move, timer, NOW + MINUTE)
    assert await look(database, timers.due, NOW, 10) == []
    assert await look(database, timers.next_due) == NOW + MINUTE
    flush = await look(database, timers.flush_of, "i1")
    assert flush is not None
    assert flush.due_at == NOW + MINUTE
    assert await look(database, timers.flush_of, "i2") is None


async def test_what_waits_for_an_alert_is_found(database: Database) -> None:
    timer = await do(database, timers.add, "alert", NOW, "a report", alert=7)
    await do(database, timers.add, "step", NOW, "of no alert", incident="i1")
    assert await look(database, timers.of_alert, 7) == [(timer, "a report")]
    assert await look(database, timers.of_alert, 0) == []


async def test_steps_stand_still_and_go_on_with_what_was_left(database: Database) -> None:
    step = await do(database, timers.add, "step", NOW + 5 * MINUTE, "", incident="i1")
    over = await do(database, timers.add, "step", NOW - MINUTE, "", incident="i1")
    flush = await do(database, timers.add, "flush", NOW, "", incident="i1")
    assert await do(database, timers.pause_steps, "i1", NOW) == 2
    assert await do(database, timers.pause_steps, "i1", NOW) == 0
    assert [timer.id for timer in await look(database, timers.due, NOW + 60 * MINUTE, 10)] == [flush]
    assert await look(database, timers.get, step) is None
    assert await do(database, timers.resume_steps, "i1", NOW + 10 * MINUTE) == 2
    due = {timer.id: timer.due_at for timer in await look(database, timers.due, NOW + 60 * MINUTE, 10)}
    assert due == {flush: NOW, over: NOW + 10 * MINUTE, step: NOW + 15 * MINUTE}
    assert await do(database, timers.stop_steps, "i1") == 2
    assert await do(database, timers.stop_steps, "i1") == 0


async def test_the_steps_of_an_incident_whether_their_clock_runs_or_stands_still(database: Database) -> None:
    second = await do(database, timers.add, "step", NOW + 2 * MINUTE, "2", incident="i1")
    first = await do(database, timers.add, "step", NOW + MINUTE, "1", incident="i1")
    await do(database, timers.add, "snooze", NOW, "", incident="i1")
    await do(database, timers.add, "step", NOW, "", incident="i2")
    assert [timer.id for timer in await look(database, timers.steps, "i1")] == [first, second]
    await do(database, timers.pause_steps, "i1", NOW)
    assert [timer.id for timer in await look(database, timers.steps, "i1")] == [first, second]


async def test_the_end_of_a_snooze_is_forgotten_alone_or_with_the_steps(database: Database) -> None:
    for incident in ("i1", "i2"):
        await do(database, timers.add, "step", NOW, "", incident=incident)
        await do(database, timers.add, "snooze", NOW, "", incident=incident)
        await do(database, timers.add, "flush", NOW, "", incident=incident)
    assert await do(database, timers.stop_quiet, "i1") == 1
    assert await do(database, timers.stop_steps, "i2") == 2
    left = sorted((timer.incident, timer.kind) for timer in await look(database, timers.due, NOW, 10))
    assert left == [("i1", "flush"), ("i1", "step"), ("i2", "flush")]


async def test_only_the_timer_that_was_read_is_taken(database: Database) -> None:
    await do(database, timers.add, "step", NOW, "1", incident="i1")
    (read,) = await look(database, timers.due, NOW, 10)
    assert await do(database, timers.take, read)
    assert not await do(database, timers.take, read)
    # another that has the same id by now, as SQLite gives it
    await do(database, timers.add, "step", NOW, "2", incident="i1")
    assert not await do(database, timers.take, read)
    assert len(await look(database, timers.due, NOW, 10)) == 1


async def test_what_was_paused_or_moved_since_it_was_read_is_not_taken(database: Database) -> None:
    await do(database, timers.add, "step", NOW, "", incident="i1")
    (read,) = await look(database, timers.due, NOW, 10)
    await do(database, timers.pause_steps, "i1", NOW)
    assert not await do(database, timers.take, read)
    await do(database, timers.resume_steps, "i1", NOW + MINUTE)
    assert not await do(database, timers.take, read)
    assert await do(database, timers.take, replace(read, due_at=NOW + MINUTE))
