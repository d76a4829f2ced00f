"""Signs of life: when each came last, and when it is missing."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.storage.transaction import Row, Tx


class Heartbeat(Struct, frozen=True):
    """`since` is when it was first expected. `due_at` is when it is missing, or while it is, when it is looked at again;
    None until the first of one that is awaited. `missing_since` is None while it comes. `excused` says that it was given
    more time since it came last, because nobody could hear it. `timer` is the one that looks at it, 0 for none.
    """

    name: str
    since: datetime
    last_at: datetime | None = None
    due_at: datetime | None = None
    missing_since: datetime | None = None
    excused: bool = False
    timer: int = 0


async def add(tx: Tx, heartbeat: Heartbeat) -> None:
    await tx.run("heartbeat_add", heartbeat.name, *_values(heartbeat))


async def put(tx: Tx, heartbeat: Heartbeat) -> None:
    """Keep everything that can change."""
    await tx.run("heartbeat_put", *_values(heartbeat), heartbeat.name)


async def get(tx: Tx, name: str) -> Heartbeat | None:
    row = await tx.one("heartbeat_get", name)
    return None if row is None else _heartbeat(row)


async def every(tx: Tx) -> list[Heartbeat]:
    """All there are, by name."""
    return [_heartbeat(row) for row in await tx.all("heartbeats_all")]


async def drop(tx: Tx, name: str) -> None:
    await tx.run("heartbeat_drop", name)


def _values(found: Heartbeat) -> tuple[int | None, ...]:
    return (
        micros(found.since), maybe_micros(found.last_at), maybe_micros(found.due_at), maybe_micros(found.missing_since),
        int(found.excused), found.timer,
    )  # fmt: skip


def _heartbeat(row: Row) -> Heartbeat:
    return Heartbeat(
        row[0], moment(row[1]), maybe_moment(row[2]), maybe_moment(row[3]), maybe_moment(row[4]), bool(row[5]), row[6]
    )
