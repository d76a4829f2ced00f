"""The outbox: one row for each notification and channel.

`person` names the people that a delivery is for, joined by `/`: empty for those of a receiver.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.delivery import DeliveryState
from bridge.domain.message import Reason
from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.domain.target import together
from bridge.storage.transaction import Row, Tx


class Queued(Struct, frozen=True):
    """A delivery that waits."""

    id: int
    reason: Reason
    state: DeliveryState
    created_at: datetime
    due_at: datetime
    attempts: int
    person: str = ""


class Claimed(Struct, frozen=True):
    """A delivery that is about to be tried. `counted` are the attempts that count for the waits between them.

    `epoch` grows with every lease: what an earlier holder says of the delivery is void. It stays 0 where the database is
    our own and nothing is leased. `replayed` counts the lives it was given after it had died. `taken_over`: it was leased to a
    bridge that recorded no outcome.
    """

    id: int
    incident: str
    channel: str
    receiver: str
    reason: Reason
    note: str
    created_at: datetime
    attempts: int
    counted: int
    plain: bool
    epoch: int = 0
    replayed: int = 0
    person: str = ""
    taken_over: bool = False


class Wanted(Struct, frozen=True):
    """Which deliveries are asked for; empty means any. `reason` is why people were to be told, or why it ended.

    `since` and `until` bound when the delivery was planned or last given a new life; the end is not included.
    """

    channel: str = ""
    incident: str = ""
    reason: str = ""
    since: datetime | None = None
    until: datetime | None = None

    def values(self) -> tuple[str | int, ...]:
        """As the statements take it."""
        since, until = maybe_micros(self.since) or 0, maybe_micros(self.until)
        return (
            self.channel, self.channel, self.incident, self.incident, self.reason, self.reason, self.reason, since,
            2**62 if until is None else until,
        )  # fmt: skip


class Stored(Struct, frozen=True):
    """A delivery as people see it."""

    id: int
    incident: str
    channel: str
    receiver: str
    reason: str
    state: str
    end_reason: str
    attempts: int
    created_at: datetime
    due_at: datetime
    ended_at: datetime | None
    last_error: str
    person: str = ""


class Live(Struct, frozen=True):
    """Where a delivery waits: what the sender keeps in memory. `incident` is empty for notices.

    `replayed` ones were dead, and go behind the others.
    """

    id: int
    incident: str
    channel: str
    due_at: datetime
    parked: bool = False
    replayed: bool = False


async def add(
    tx: Tx,
    incident: str,
    channel: str,
    receiver: str,
    reason: Reason,
    note: str,
    created_at: datetime,
    due_at: datetime,
    *,
    person: str = "",
) -> Live:
    at = micros(created_at), micros(due_at)
    number = await tx.insert("delivery_add", incident, channel, receiver, reason.value, "pending", note, *at, person)
    return Live(number, incident, channel, due_at)


async def queued(tx: Tx, incident: str, channel: str) -> list[Queued]:
    """What waits for (incident, channel) or is being tried under a lease, oldest first."""
    return [
        Queued(row[0], Reason(row[1]), DeliveryState(row[2]), moment(row[3]), moment(row[4]), row[5], row[6])
        for row in await tx.all("deliveries_queued", incident, channel)
    ]


async def people_told(tx: Tx, incident: str) -> dict[str, str]:
    """For whom each channel was told of an incident, or is about to be, joined by `/`; without those told for nobody."""
    found: dict[str, str] = {}
    for channel, person in await tx.all("deliveries_people", incident):
        found[channel] = together(found.get(channel, ""), person)
    return found


async def queued_of_incident(tx: Tx, incident: str) -> list[tuple[int, str, Reason, bool]]:
    """(id, channel, reason, leased) of everything that waits for the incident or is being tried under a lease."""
    return [
        (row[0], row[1], Reason(row[2]), row[4] == "leased")
        for row in await tx.all("deliveries_queued_of_incident", incident)
    ]


async def claim(tx: Tx, delivery: int) -> Claimed | None:
    """A delivery that still waits, None if it does not any more."""
    row = await tx.one("delivery_claim", delivery)
    if row is None:
        return None
    return claimed_of(row)


async def claim_all(tx: Tx, ids: Sequence[int]) -> dict[int, Claimed]:
    """Those of the deliveries that still wait, by id."""
    return {row[0]: claimed_of(row) for row in await tx.all("deliveries_claim", _json(ids))}


def claimed_of(row: Row) -> Claimed:
    """(id, incident, channel, receiver, reason, note, created_at, attempts, counted, plain, epoch, replayed, person), and `taken_over` from a lease."""
    return Claimed(
        row[0],
        row[1],
        row[2],
        row[3],
        Reason(row[4]),
        row[5],
        moment(row[6]),
        row[7],
        row[8],
        bool(row[9]),
        *row[10:14],
    )


async def end(
    tx: Tx,
    claimed: Claimed,
    state: DeliveryState,
    reason: str,
    now: datetime,
    *,
    attempts: int,
    counted: int,
    error: str,
) -> bool:
    """Close a delivery after an attempt; False if it was closed already, or another bridge has taken it over."""
    changed = await tx.run(
        "delivery_end", state.value, reason, micros(now), attempts, counted, error, claimed.id, claimed.epoch
    )
    return changed > 0


async def sent(tx: Tx, done: Sequence[Claimed], now: datetime) -> set[int]:
    """Close deliveries that were made; gives those that were still open, and not taken over by another bridge."""
    wanted = _json([[claimed.id, claimed.epoch] for claimed in done])
    return {row[0] for row in await tx.all("deliveries_sent", micros(now), wanted)}


async def drop(tx: Tx, claimed: Claimed, state: DeliveryState, reason: str, now: datetime) -> bool:
    """Close a claimed delivery without an attempt."""
    return await tx.run("delivery_drop", state.value, reason, micros(now), claimed.id, claimed.epoch) > 0


async def stop(tx: Tx, delivery: int, state: DeliveryState, reason: str, now: datetime) -> bool:
    """Close a delivery that waits, without an attempt."""
    return await tx.run("delivery_stop", state.value, reason, micros(now), delivery) > 0


async def again(
    tx: Tx, claimed: Claimed, due_at: datetime, *, attempts: int, counted: int, plain: bool, error: str, waits: str = ""
) -> bool:
    """Put a tried delivery back; `waits` says why it waits if that is not its own failure. False as in `end`."""
    changed = await tx.run(
        "delivery_again", micros(due_at), attempts, counted, int(plain), error, waits, claimed.id, claimed.epoch
    )
    return changed > 0


async def inherit(
    tx: Tx, delivery: int, reason: Reason, created_at: datetime, due_at: datetime, *, person: str = ""
) -> None:
    """A waiting delivery takes over from an older one that failed: its reason, its age, its wait, its people if any."""
    await tx.run("delivery_inherit", reason.value, person, micros(created_at), micros(due_at), delivery)


async def park(tx: Tx, delivery: int, epoch: int, reason: str, now: datetime) -> bool:
    """A parked delivery keeps the hour of its parking as its due time."""
    return await tx.run("delivery_park", reason, micros(now), delivery, epoch) > 0


async def parked_since(tx: Tx, reason: str, before: datetime, limit: int) -> list[int]:
    """What was parked for this reason before that hour, oldest first."""
    return [row[0] for row in await tx.all("deliveries_parked_since", reason, micros(before), limit)]


async def unpark(tx: Tx, delivery: int, now: datetime) -> bool:
    return await tx.run("delivery_unpark", micros(now), delivery) > 0


async def live(tx: Tx, after: int, limit: int) -> list[Live]:
    """What waits or is parked, by id: read page by page at the start."""
    return [
        Live(row[0], row[1], row[2], moment(row[3]), row[4] == "parked", row[5] > 0)
        for row in await tx.all("deliveries_live", after, limit)
    ]


async def too_old(tx: Tx, created_before: datetime, limit: int) -> list[tuple[int, str, datetime]]:
    """(id, channel, created at) of what waits for so long, oldest first."""
    rows = await tx.all("deliveries_too_old", micros(created_before), limit)
    return [(row[0], row[1], moment(row[2])) for row in rows]


def _stored(row: Row) -> Stored:
    return Stored(
        row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], moment(row[8]), moment(row[9]),
        maybe_moment(row[10]), row[11], row[12],
    )  # fmt: skip


async def get(tx: Tx, delivery: int) -> Stored | None:
    row = await tx.one("delivery_get", delivery)
    return None if row is None else _stored(row)


async def page(tx: Tx, before: int, states: Sequence[str], wanted: Wanted, limit: int) -> list[Stored]:
    """Newest first, ids below `before` (0: from the newest)."""
    values = (before or 2**62, msgspec.json.encode(states).decode(), *wanted.values(), limit)
    if wanted.incident:
        rows = await tx.all("deliveries_page_of_incident", *values)
    elif list(states) == [DeliveryState.DEAD.value]:
        rows = await tx.all("deliveries_page_of_dead", *values)
    else:
        rows = await tx.all("deliveries_page", *values)
    return [_stored(row) for row in rows]


async def newest(tx: Tx) -> int:
    """The highest id that was given; 0 if there is no delivery."""
    row = await tx.one("delivery_newest")
    return int(row[0] or 0) if row else 0


async def counts(tx: Tx) -> list[tuple[str, str, int]]:
    """(channel, state, number) of everything that did not end well."""
    return [(row[0], row[1], row[2]) for row in await tx.all("deliveries_count")]


def _json(values: Sequence[int] | Sequence[list[int]]) -> str:
    return msgspec.json.encode(values).decode()
