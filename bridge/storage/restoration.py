"""What a database knows of itself when it was restored from a copy, or found to be older than it should be."""

from __future__ import annotations

from datetime import datetime

import msgspec

from bridge.domain.moment import micros
from bridge.storage import journal
from bridge.storage.transaction import Tx

FACT = "restored"


class Restored(msgspec.Struct, frozen=True):
    """`at` is when the copy was made, `declared_at` when a bridge first started on it (µs since 1970, 0: not yet).

    `file` names the copy. `moved` says that nothing happened after the copy was made. `before` is how far the open
    incidents were told of again, newest first: the id of the last one.
    """

    at: int
    file: str = ""
    moved: bool = False
    declared_at: int = 0
    before: str = ""


def written(restored: Restored) -> str:
    """The text of the fact."""
    return msgspec.json.encode(restored).decode()


async def load(tx: Tx) -> Restored | None:
    """None if the database is what it always was, or all is told."""
    text = await journal.fact(tx, FACT)
    try:
        return msgspec.json.decode(text, type=Restored) if text else None
    except msgspec.MsgspecError:
        return None


async def save(tx: Tx, restored: Restored | None) -> None:
    await journal.set_fact(tx, FACT, "" if restored is None else written(restored))


async def rejuvenate(tx: Tx, now: datetime) -> None:
    """What waits is not given up because of the time that nobody knows of."""
    await tx.run("deliveries_rejuvenate", micros(now), micros(now))


async def postpone_steps(tx: Tx, until: datetime) -> None:
    """Overdue steps of escalations wait a little longer."""
    await tx.run("steps_postpone", micros(until), micros(until))


async def busy_channels(tx: Tx, incident: str, since: datetime) -> set[str]:
    """The channels that were told of an incident since then, or are about to be."""
    return {row[0] for row in await tx.all("channels_busy_since", incident, micros(since))}


async def skip_ids(tx: Tx, count: int, now: datetime) -> int:
    """Let the ids of deliveries go on far ahead, by a delivery that ended and was for nobody; gives its id."""
    at = micros(now)
    row = await tx.one("delivery_far_ahead", count, at, at, at)
    return int(row[0]) if row else 0
