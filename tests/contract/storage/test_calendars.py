"""The calendars of schedules: a good copy stays whatever comes of later attempts."""

from __future__ import annotations

from msgspec.structs import replace

from bridge.storage import calendars
from bridge.storage.calendars import StoredCalendar
from bridge.storage.database import Database
from tests.contract.storage.making import MINUTE, do, look
from tests.contract.storage.units import NOW

FOUND = StoredCalendar("payments", "aa", "bb", NOW, NOW + MINUTE, "", warned=False)


async def test_a_calendar_is_read_as_it_was_put_and_put_again(database: Database) -> None:
    await do(database, calendars.put, FOUND, "BEGIN 🔕")
    assert await look(database, calendars.every) == [FOUND]
    assert await look(database, calendars.content, "payments") == "BEGIN 🔕"
    other = StoredCalendar("payments", "cc", "dd", NOW + MINUTE, NOW + 2 * MINUTE, "no", warned=True)
    await do(database, calendars.put, other, "END")
    assert await look(database, calendars.every) == [other]
    assert await look(database, calendars.content, "payments") == "END"


async def test_an_attempt_that_failed_leaves_the_copy(database: Database) -> None:
    await do(database, calendars.put, FOUND, "text")
    tried = replace(FOUND, address="x", tried_at=NOW + 3 * MINUTE, problem="status 500", warned=True)
    await do(database, calendars.failed, replace(tried, digest="y", good_at=NOW + MINUTE))
    assert await look(database, calendars.every) == [tried]
    assert await look(database, calendars.content, "payments") == "text"


async def test_one_that_is_dropped_is_gone_and_of_none_there_is_no_content(database: Database) -> None:
    await do(database, calendars.put, FOUND, "text")
    await do(database, calendars.drop, "payments")
    assert await look(database, calendars.every) == []
    assert await look(database, calendars.content, "payments") == ""
