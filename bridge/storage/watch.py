"""What the bridge asks of its own rows to see whether all is well, and how it moves them along when the clock jumped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.moment import maybe_moment, micros, moment
from bridge.storage.deliveries import Live
from bridge.storage.transaction import Tx

_MICROSECOND = timedelta(microseconds=1)


class Oldest(Struct, frozen=True):
    """The oldest of everything that is due: deliveries by channel, timers by kind, the request that is not planned."""

    deliveries: Mapping[str, datetime]
    timers: Mapping[str, datetime]
    request: datetime | None


async def oldest(tx: Tx, now: datetime) -> Oldest:
    """What is due at `now`. A delivery under way counts as due where claims are not in the rows."""
    at = micros(now)
    deliveries = {row[0]: moment(row[1]) for row in await tx.all("deliveries_oldest_due", at)}
    timers = {row[0]: moment(row[1]) for row in await tx.all("timers_oldest_due", at)}
    row = await tx.one("request_oldest_pending")
    return Oldest(deliveries, timers, moment(row[0]) if row else None)


async def due_before(tx: Tx, channel: str, before: datetime, limit: int) -> list[Live]:
    """What was due for a channel by then, oldest first."""
    return [
        Live(row[0], row[1], row[2], moment(row[3]))
        for row in await tx.all("deliveries_due_before", channel, micros(before), limit)
    ]


async def last_known(tx: Tx) -> datetime | None:
    """When the last audit record was written."""
    row = await tx.one("audit_last_at")
    return maybe_moment(row[0]) if row else None


async def database_now(tx: Tx) -> datetime | None:
    """The time of day by the database's clock."""
    row = await tx.one("clock_now")
    return maybe_moment(row[0]) if row else None


class Moved(Struct, frozen=True):
    """How much was moved along."""

    deliveries: int
    timers: int


async def shift(tx: Tx, jump: timedelta, ended_since: datetime) -> Moved:
    """Move everything that waits by a jump of the clock, so that what was left of each wait is left again.

    `ended_since` (by the old time) bounds which incidents that were ended by hand still ignore their sender.
    """
    by = jump // _MICROSECOND
    deliveries = await tx.run("deliveries_shift", by, by)
    timers = await tx.run("timers_shift", by)
    await tx.run("requests_shift", by)
    await tx.run("incidents_shift", by, by, by, by, by, by)
    await tx.run("alerts_shift", by)
    await tx.run("heartbeats_shift", by, by, by)
    await tx.run("incidents_ended_by_hand_shift", by, micros(ended_since))
    return Moved(deliveries, timers)
