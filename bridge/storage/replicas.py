"""The bridges that share a database: who is there, who leads, and what each has claimed.

Spans are told by the database's clock, so that no bridge's own clock matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.deliveries import Claimed, Live, claimed_of
from bridge.storage.journal import Request
from bridge.storage.transaction import Tx

_MICROSECOND = timedelta(microseconds=1)


class Replica(Struct, frozen=True):
    """A bridge that was heard of lately. `id` is new at each start."""

    id: str
    version: str
    schema: int


async def beat(tx: Tx, replica: Replica, started_at: datetime, span: timedelta) -> None:
    """The bridge is there, and is believed to be for `span`."""
    await tx.run("replica_beat", replica.id, micros(started_at), replica.version, replica.schema, span // _MICROSECOND)


async def gone(tx: Tx, replica: str) -> None:
    """The bridge stops in order: nobody need wait for its end."""
    await tx.run("replica_gone", replica)
    await tx.run("resign", replica)


async def present(tx: Tx) -> list[Replica]:
    """The bridges believed to be there."""
    return [Replica(row[0], row[1], row[2]) for row in await tx.all("replicas_live")]


async def lead(tx: Tx, replica: str, span: timedelta) -> bool:
    """Take or keep the lead for `span`, unless another bridge has it."""
    return await tx.one("lead", replica, span // _MICROSECOND) is not None


async def lease(tx: Tx, ids: Sequence[int], owner: str, span: timedelta, now: datetime) -> dict[int, Claimed]:
    """Claim those of these deliveries that are due and free; by id. One of an incident and channel at a time, in order."""
    rows = await tx.all("delivery_lease", _json(ids), owner, span // _MICROSECOND, micros(now))
    return {row[0]: claimed_of(row) for row in rows}


async def renew(tx: Tx, ids: Iterable[int], owner: str, span: timedelta) -> set[int]:
    """Keep claims for another `span`; gives those that are still the owner's."""
    return {row[0] for row in await tx.all("delivery_renew", _json(ids), owner, span // _MICROSECOND)}


async def claimable(tx: Tx, channels: Sequence[str], now: datetime, limit: int) -> list[Live]:
    """At most `limit` deliveries for each of these channels that are due and nobody's, or whose lease ran out."""
    rows = await tx.all("deliveries_claimable", _json(channels), micros(now), limit)
    return [Live(row[0], row[1], row[2], moment(row[3]), replayed=row[4] > 0) for row in rows]


async def hurry(tx: Tx, channels: Sequence[str], now: datetime, limit: int) -> None:
    """What waits for these channels is due now: they take messages again."""
    await tx.run("deliveries_hurry", _json(channels), micros(now), limit)


async def homeless(tx: Tx, channels: Sequence[str], due_before: datetime, limit: int) -> list[Live]:
    """Due deliveries for channels other than these: no bridge has them, or none that is quick."""
    rows = await tx.all("deliveries_homeless", _json(channels), micros(due_before), limit)
    return [Live(row[0], row[1], row[2], moment(row[3])) for row in rows]


async def parked(tx: Tx, limit: int) -> list[Live]:
    """What is parked, by id."""
    rows = await tx.all("deliveries_parked", limit)
    return [Live(row[0], row[1], row[2], moment(row[3]), parked=True) for row in rows]


async def take_partitions(tx: Tx, owner: str, span: timedelta) -> dict[int, int]:
    """Claim the partitions of the journal that have work and are free, keep those that are the owner's: their epochs."""
    rows = await tx.all("partitions_take", owner, span // _MICROSECOND)
    return {row[0]: row[1] for row in rows}


async def holds_partition(tx: Tx, partition: int, owner: str, epoch: int) -> bool:
    """Whether the partition is still the owner's, by the same claim."""
    return await tx.one("partition_held", partition, owner, epoch) is not None


async def pending_in(tx: Tx, partitions: Iterable[int], limit: int) -> list[Request]:
    """Requests to be planned in these partitions, oldest first."""
    rows = await tx.all("requests_pending_in", _json(partitions), limit)
    return [Request(row[0], row[1], moment(row[2]), row[3], row[4], row[5], row[6]) for row in rows]


def _json(values: Iterable[int] | Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
