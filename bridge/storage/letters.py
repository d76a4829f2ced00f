"""Dead letters, and parked deliveries: what may be given a new life."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.delivery import DeliveryState
from bridge.domain.message import Reason
from bridge.domain.moment import micros, moment
from bridge.storage.deliveries import Wanted
from bridge.storage.transaction import Row, Tx


class Letter(Struct, frozen=True):
    """A delivery as far as its revival is concerned. `created_at` is when it was planned, or last revived."""

    id: int
    incident: str
    channel: str
    reason: Reason
    state: DeliveryState
    end_reason: str
    created_at: datetime

    def is_one(self, wanted: Wanted) -> bool:
        """Whether a filter lets the letter through."""
        return (
            wanted.channel in {"", self.channel}
            and wanted.incident in {"", self.incident}
            and wanted.reason in {"", self.reason.value, self.end_reason}
            and (wanted.since is None or self.created_at >= wanted.since)
            and (wanted.until is None or self.created_at < wanted.until)
        )


def _letter(row: Row) -> Letter:
    return Letter(row[0], row[1], row[2], Reason(row[3]), DeliveryState(row[4]), row[5], moment(row[6]))


async def get(tx: Tx, delivery: int) -> Letter | None:
    row = await tx.one("letter_get", delivery)
    return None if row is None else _letter(row)


async def dead(tx: Tx, wanted: Wanted, after: int, upto: int, limit: int) -> list[Letter]:
    """Dead letters with ids above `after` and up to `upto`, oldest first."""
    return [_letter(row) for row in await tx.all("letters_dead", after, upto, *wanted.values(), limit)]


async def parked(tx: Tx, wanted: Wanted, after: int, upto: int, limit: int) -> list[Letter]:
    """The same of parked deliveries."""
    return [_letter(row) for row in await tx.all("letters_parked", after, upto, *wanted.values(), limit)]


async def of_pair(tx: Tx, incident: str, channel: str) -> list[Letter]:
    """What is dead or waits for (incident, channel), oldest first."""
    return [_letter(row) for row in await tx.all("letters_of_pair", incident, channel)]


async def told(tx: Tx, incident: str, channel: str) -> tuple[int, datetime]:
    """The highest id, and the latest hour of planning, of what was sent for (incident, channel); 0 if nothing was."""
    row = await tx.one("pair_told", incident, channel)
    return (row[0], moment(row[1])) if row else (0, moment(0))


async def newest(tx: Tx) -> int:
    """The highest id of all deliveries."""
    row = await tx.one("letters_newest")
    return int(row[0]) if row else 0


async def waiting(tx: Tx, channel: str) -> int:
    """How many replayed deliveries wait to be sent, for one channel or (empty) for all."""
    row = await tx.one("letters_waiting", channel, channel)
    return int(row[0]) if row else 0


async def revive(tx: Tx, delivery: int, reason: Reason, now: datetime) -> bool:
    """A dead or parked delivery gets a new life, its time counted anew."""
    return await tx.run("letter_revive", reason.value, micros(now), micros(now), delivery) > 0


async def supersede(tx: Tx, delivery: int, now: datetime) -> bool:
    """End a dead or parked delivery for good: what it had to say is told by another."""
    return await tx.run("letter_supersede", "newer_state", micros(now), delivery) > 0
