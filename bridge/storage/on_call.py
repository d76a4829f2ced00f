"""What people said about incidents, and who was called to them by hand."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx


class Comment(Struct, frozen=True):
    """What somebody said about an incident; `via` is the way it came."""

    at: datetime
    by: str
    via: str
    text: str


class Responder(Struct, frozen=True):
    """A receiver or channel that somebody called to an incident."""

    who: str
    at: datetime
    by: str


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
