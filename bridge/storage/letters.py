"""Dead letters, and parked deliveries: what may be given a new life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.delivery import DeliveryState
from bridge.domain.message import Reason
from bridge.domain.moment import micros, moment
from bridge.storage import incidents
from bridge.storage.deliveries import Wanted
from bridge.storage.incidents import Incident
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


Pair = tuple[str, str]
"""An incident and a channel."""


class About(Struct, frozen=True):
    """What is known beside letters.

    `beside`: what is dead or waits for the same incident and channel, oldest first, the letters among it. `told`: the highest
    id, and the latest hour of planning, of what was sent. `firing`: the pairs that were told of a firing and not of its end.
    """

    beside: Mapping[Pair, Sequence[Letter]]
    told: Mapping[Pair, tuple[int, datetime]]
    firing: set[Pair]
    incidents: Mapping[str, Incident]


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


async def about(tx: Tx, ids: Sequence[int]) -> About:
    """What is known beside these deliveries, by their incidents and channels."""
    wanted = _json(ids)
    beside: dict[Pair, list[Letter]] = {}
    for row in await tx.all("letters_beside", wanted, wanted):
        letter = _letter(row)
        beside.setdefault(pair_of(letter), []).append(letter)
    told = {(row[0], row[1]): (row[2], moment(row[3])) for row in await tx.all("pairs_told", wanted)}
    firing = {(row[0], row[1]) for row in await tx.all("pairs_firing", wanted)}
    return About(beside, told, firing, await incidents.of_deliveries(tx, ids))


def pair_of(letter: Letter) -> Pair:
    """The incident and channel that a letter belongs to; a notice is alone with its id."""
    return (letter.incident or str(letter.id), letter.channel)


async def newest(tx: Tx) -> int:
    """The highest id of all deliveries."""
    row = await tx.one("letters_newest")
    return int(row[0]) if row else 0


async def waiting(tx: Tx, channel: str) -> int:
    """How many replayed deliveries wait to be sent, for one channel or (empty) for all."""
    row = await tx.one("letters_waiting", channel, channel)
    return int(row[0]) if row else 0


async def revive(tx: Tx, reasons: Mapping[int, Reason], now: datetime) -> set[int]:
    """Dead and parked deliveries get a new life each, for another reason perhaps, their time counted anew; those that did."""
    wanted = _json([[delivery, reason.value] for delivery, reason in reasons.items()])
    return {row[0] for row in await tx.all("letters_revive", micros(now), micros(now), wanted)}


async def supersede(tx: Tx, ids: Sequence[int], now: datetime) -> set[int]:
    """End dead and parked deliveries for good: what they had to say is told by others; those that were ended."""
    return {row[0] for row in await tx.all("letters_supersede", "newer_state", micros(now), _json(ids))}


def _json(values: Sequence[int] | Sequence[list[int | str]]) -> str:
    return msgspec.json.encode(values).decode()
