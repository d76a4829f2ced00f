"""What people said about incidents, who was called to them by hand, and what somebody takes over who is on call next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx

_LABELS = msgspec.json.Decoder(dict[str, str])


class Comment(Struct, frozen=True):
    """What somebody said about an incident; `via` is the way it came."""

    at: datetime
    by: str
    via: str
    text: str


class Responder(Struct, frozen=True):
    """A receiver, a channel or the word for a person or schedule that somebody called to an incident."""

    who: str
    at: datetime
    by: str


class OpenIncident(Struct, frozen=True):
    """An incident that is not over, as far as somebody is told of it who takes over. `owner` is who has it."""

    id: str
    labels: Mapping[str, str]
    severity: str
    state: str
    owner: str
    opened_at: datetime


async def open_of(
    tx: Tx, receivers: Iterable[str], escalations: Iterable[str], limit: int
) -> tuple[int, list[OpenIncident]]:
    """What is not over of those that these receivers are told of, or that go by these escalations: how many, and the
    oldest of them.
    """
    rows = await tx.all("incidents_open_of", _json(receivers), _json(escalations), limit)
    found = [OpenIncident(row[0], _LABELS.decode(row[1]), row[2], row[3], row[4], moment(row[5])) for row in rows]
    return (rows[0][6] if rows else 0), found


async def comment(tx: Tx, incident: str, said: Comment) -> None:
    await tx.run("comment_add", incident, micros(said.at), said.by, said.via, said.text, incident)


async def comments(tx: Tx, incident: str) -> list[Comment]:
    """What was said about an incident, in order."""
    return [Comment(moment(row[0]), row[1], row[2], row[3]) for row in await tx.all("comments_of", incident)]


async def last_comment(tx: Tx, incident: str) -> Comment | None:
    row = await tx.one("comment_last", incident)
    return None if row is None else Comment(moment(row[0]), row[1], row[2], row[3])


async def call(tx: Tx, incident: str, responder: Responder) -> bool:
    """Keep who was called to an incident; False if he had been."""
    if await tx.one("responder_there", incident, responder.who) is not None:
        return False
    await tx.run("responder_add", incident, responder.who, micros(responder.at), responder.by)
    return True


async def responders(tx: Tx, incident: str) -> list[Responder]:
    """Who was called to an incident, the first first."""
    return [Responder(row[0], moment(row[1]), row[2]) for row in await tx.all("responders_of", incident)]


def _json(values: Iterable[str]) -> str:
    return msgspec.json.encode(list(values)).decode()
