"""The calendars of schedules as they were read last: a good copy is kept until there is a better one."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx


class StoredCalendar(Struct, frozen=True):
    """What is known of one calendar but its content. `good_at` is when the copy came; before there was one, when it was
    first tried. `digest` is empty as long as there is none. `problem` is why the last attempt failed.
    """

    schedule: str
    address: str
    digest: str
    good_at: datetime
    tried_at: datetime
    problem: str = ""
    warned: bool = False


async def put(tx: Tx, calendar: StoredCalendar, content: str) -> None:
    """Keep a calendar and its content in place of what was kept of it."""
    await tx.run(
        "calendar_put", calendar.schedule, calendar.address, content, calendar.digest, micros(calendar.good_at),
        micros(calendar.tried_at), calendar.problem, int(calendar.warned),
    )  # fmt: skip


async def failed(tx: Tx, calendar: StoredCalendar) -> None:
    """Note an attempt that failed, and at which address; the copy stays."""
    await tx.run(
        "calendar_failed", calendar.address, micros(calendar.tried_at), calendar.problem, int(calendar.warned),
        calendar.schedule,
    )  # fmt: skip


async def content(tx: Tx, schedule: str) -> str:
    """The last good copy; empty if there is none."""
    row = await tx.one("calendar_content", schedule)
    return "" if row is None else str(row[0])


async def every(tx: Tx) -> list[StoredCalendar]:
    """All that are kept, by the schedule's name."""
    return [
        StoredCalendar(row[0], row[1], row[2], moment(row[3]), moment(row[4]), row[5], bool(row[6]))
        for row in await tx.all("calendars_all")
    ]


async def drop(tx: Tx, schedule: str) -> None:
    await tx.run("calendar_drop", schedule)
