"""Storms: how fast sources open incidents, which of those people hear of by digest alone, and what they were told last."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.delivery import DeliveryState
from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.domain.storm import Severe, Span, Tally
from bridge.storage import deliveries
from bridge.storage.transaction import Row, Tx

_LISTED = 5
_NEWEST = 2000
_DECODER = msgspec.json.Decoder(tuple[str, ...])


class Source(Struct, frozen=True):
    """A source that may storm. `storm` names the storm that it is in (then it `lasts`) or was in last, as long as anything
    of that is told; empty if there is none.

    `over_at` is when its rate was last too high; `storm_began_at` is the storm's.
    """

    span: Span
    over_at: datetime
    storm: str
    storm_began_at: datetime
    lasts: bool = False


class Listener(Struct, frozen=True):
    """A channel that hears of a storm: when and what it was told last, and why it is to be told again.

    `incident` is the one by which it is told, empty before the first time. A channel that does not follow is called by
    escalations alone. `pages` are the escalation steps that it was called for, `paging` that the last of them is still to be sent.
    """

    channel: str
    incident: str = ""
    told_at: datetime | None = None
    total: int = 0
    open: int = 0
    follows: bool = True
    news: bool = False
    paging: bool = False
    pages: tuple[str, ...] = ()


async def source(tx: Tx, name: str) -> Source | None:
    row = await tx.one("storm_source_get", name)
    if row is None:
        return None
    return Source(Span(moment(row[0]), row[1], row[2]), moment(row[3]), row[4], moment(row[5]), bool(row[6]))


async def keep(tx: Tx, name: str, known: Source) -> None:
    span = known.span
    await tx.run(
        "storm_source_put", name, micros(span.began_at), span.opened, span.before, micros(known.over_at), known.storm,
        micros(known.storm_began_at), int(known.lasts),
    )  # fmt: skip


async def over(tx: Tx, name: str, storm: str) -> None:
    """The storm lasts no longer."""
    await tx.run("storm_over", name, storm)


async def join(tx: Tx, storm: str, incident: str, channel: str, *, follows: bool = True) -> bool:
    """The channel hears of the incident by the storm's digest; whether it is the first of the storm that it hears of."""
    await tx.run("storm_member_add", incident, channel, storm)
    if await tx.run("storm_channel_add", storm, channel, int(follows)) > 0:
        return True
    return follows and await tx.run("storm_channel_follows", storm, channel) > 0


async def of(tx: Tx, incident: str) -> dict[str, str]:
    """The channels that hear of an incident by digest, each with the storm."""
    return {row[0]: row[1] for row in await tx.all("storm_of_incident", incident)}


async def tally(tx: Tx, storm: str, channel: str) -> Tally:
    severe = await tx.all("storm_severities", storm, channel)
    routes = await tx.all("storm_routes", storm, channel, _NEWEST, _LISTED)
    names = await tx.all("storm_names", storm, channel, _NEWEST, _LISTED)
    return Tally(
        tuple(Severe(row[0], int(row[1]), int(row[2])) for row in severe),
        tuple((row[0], int(row[1])) for row in names),
        tuple((row[0], int(row[1])) for row in routes),
    )


async def any_open(tx: Tx, storm: str) -> bool:
    """Whether an incident of the storm is not resolved."""
    return await tx.one("storm_open", storm) is not None


async def open_members(tx: Tx, storm: str, channel: str) -> list[str]:
    """The incidents in a channel's digest that nobody has acknowledged."""
    return [row[0] for row in await tx.all("storm_members_open", storm, channel)]


async def acknowledged_members(tx: Tx, storm: str, channel: str, at: datetime, by: str) -> list[str]:
    """The incidents in a channel's digest that were acknowledged by somebody at this instant."""
    return [row[0] for row in await tx.all("storm_members_acknowledged", storm, channel, micros(at), by)]


async def told_by(tx: Tx, incident: str) -> tuple[str, str] | None:
    """(storm, channel) that an incident stands for, None if it stands for none that goes on."""
    row = await tx.one("storm_channel_of", incident)
    return None if row is None else (row[0], row[1])


async def forget(tx: Tx, storm: str) -> None:
    """Nothing is told of the storm any more; its incidents are told as any other."""
    await tx.run("storm_past", storm)
    await tx.run("storm_members_drop", storm)
    await tx.run("storm_channels_drop", storm)


def _listener(row: Row) -> Listener:
    return Listener(
        row[0],
        row[1],
        maybe_moment(row[2]),
        row[3],
        row[4],
        bool(row[5]),
        bool(row[6]),
        bool(row[7]),
        _DECODER.decode(row[8]),
    )


async def listeners(tx: Tx, storm: str) -> list[Listener]:
    return [_listener(row) for row in await tx.all("storm_channels", storm)]


async def listener(tx: Tx, storm: str, channel: str) -> Listener | None:
    row = await tx.one("storm_channel_get", storm, channel)
    return None if row is None else _listener(row)


async def note(tx: Tx, storm: str, heard: Listener) -> None:
    """Keep what a channel was told, or is to be told."""
    await tx.run(
        "storm_channel_put", heard.incident, maybe_micros(heard.told_at), heard.total, heard.open, int(heard.news),
        int(heard.paging), msgspec.json.encode(heard.pages).decode(), storm, heard.channel,
    )  # fmt: skip


async def timer(tx: Tx, storm: str) -> tuple[int, datetime] | None:
    """(id, due) of the storm's timer."""
    row = await tx.one("storm_timer", storm)
    return None if row is None else (row[0], moment(row[1]))


async def queued(tx: Tx, name: str, since: datetime, not_in: str, limit: int) -> Sequence[tuple[int, str, str]]:
    """(id, incident, channel) of openings of the source that wait untried, of incidents since that moment."""
    rows = await tx.all("storm_queued", name, micros(since), not_in, limit)
    return [(row[0], row[1], row[2]) for row in rows]


async def withdraw(tx: Tx, delivery: int, now: datetime) -> bool:
    """End a delivery in favour of the digest; False if it was taken up meanwhile."""
    return await deliveries.stop(tx, delivery, DeliveryState.SUPERSEDED, "storm", now)
