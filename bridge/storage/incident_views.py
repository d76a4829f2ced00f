"""What an incident waits for, and who was told what of it, read for those who ask."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.moment import moment
from bridge.storage.transaction import Tx


class Waiting(Struct, frozen=True):
    """A timer of an incident. `left` is what is left of its wait while its clock stands still; `kind`, `data` as in `Timer`."""

    kind: str
    due_at: datetime
    left: timedelta | None
    data: str


class ToldOf(Struct, frozen=True):
    """What a channel was last told of an alert in an incident: firing, resolved, or (left out since) withdrawn."""

    channel: str
    alert: int
    episode: int
    status: str


async def waiting(tx: Tx, incident: str) -> list[Waiting]:
    """What an incident waits for, the next first."""
    rows = await tx.all("view_timers", incident)
    return [
        Waiting(row[1], moment(row[2]), None if row[3] is None else timedelta(microseconds=row[3]), row[4])
        for row in rows
    ]


async def told(tx: Tx, incident: str) -> list[ToldOf]:
    """What each channel was told, by channel."""
    return [ToldOf(*row) for row in await tx.all("view_told", incident)]
