"""Acknowledgements that are mirrored to the Alertmanager an incident came from, as silences there."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.storage.transaction import Tx

_FARTHEST = timedelta(minutes=15)


class Mirror(Struct, frozen=True):
    """One silence there. `silence` is its id, empty while it is not known; `asked` says that it may have been made. It ends
    at `until` by itself. `due_at` is when it is looked at next; `problem` is why the last attempt failed.
    """

    incident: str
    source: str
    due_at: datetime
    silence: str = ""
    asked: bool = False
    until: datetime | None = None
    problem: str = ""


async def want(tx: Tx, incident: str, source: str, now: datetime) -> None:
    """Have a silence made, or looked at anew if there is one."""
    await tx.run("mirror_want", incident, source, micros(now))


async def due(tx: Tx, now: datetime, limit: int) -> list[Mirror]:
    """Those to be looked at: it is time, nobody has the incident any more, or the clock was set back."""
    return [
        Mirror(row[0], row[1], moment(row[2]), row[3], bool(row[4]), maybe_moment(row[5]), row[6])
        for row in await tx.all("mirrors_due", micros(now), micros(now + _FARTHEST), limit)
    ]


async def failing(tx: Tx) -> dict[str, str]:
    """Why the last attempts failed, by the source's name."""
    return {row[0]: row[1] for row in await tx.all("mirrors_failing")}


async def keep(tx: Tx, mirror: Mirror) -> None:
    """Keep what is known of one that is still wanted."""
    await tx.run(
        "mirror_set", micros(mirror.due_at), mirror.silence, int(mirror.asked), maybe_micros(mirror.until),
        mirror.problem, mirror.incident,
    )  # fmt: skip


async def drop(tx: Tx, incident: str) -> None:
    await tx.run("mirror_drop", incident)
