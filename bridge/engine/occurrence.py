"""An occurrence of a recurring silence: one silence, for as long as its intervals hold this time."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bridge.engine.silences import begin, end, find
from bridge.engine.work import Work
from bridge.routing.matchers import format_matchers
from bridge.routing.recurring import Recurring
from bridge.routing.silences import Silence
from bridge.storage.transaction import Tx

_NAMES = uuid.UUID("4bb7a0c6-8f2e-5d0b-9a51-6f1f3a2f7c11")
_WITHOUT_END = timedelta(days=3652)


class Occurrence(Struct, frozen=True):
    """The last one of an entry: its silence, made at `began`, which is to end at `until`; `digest` is of what it was
    made from. `dropped`: the configuration ended it before that. `noticed`: its people have heard that it ends, or
    needed not.
    """

    silence: str
    began: datetime
    until: datetime
    digest: str
    dropped: bool = False
    noticed: bool = False

    def is_as_made(self, silence: Silence | None, now: datetime) -> bool:
        """Whether its silence goes on and nobody changed it."""
        if silence is None or silence.state(now) == "expired":
            return False
        return silence.updated_at == self.began and silence.ends_at == self.until


class Window(Struct, frozen=True):
    """Whether the intervals of an entry hold now, and when that changes; None if not within ten years."""

    holds: bool
    changes: datetime | None


async def follow(work: Work, entry: Recurring, window: Window, known: Occurrence | None) -> Occurrence | None:
    """Make or end the entry's silence where that is to be; gives its last occurrence, None if it is of no interest any more.

    What a person did to an occurrence stands until the window is over, whatever becomes of the entry.
    """
    if known is not None and known.until <= work.now:
        known = None
    if not window.holds:
        return None if known is None else await drop(work, known)
    if known is not None:
        same = window.changes is None or window.changes == known.until
        if same and known.digest == _digest(entry) and not known.dropped:
            return known
        known = await drop(work, known)
        if same and not known.dropped:
            return known
    return await _make(work, entry, window.changes or work.now + _WITHOUT_END)


async def drop(work: Work, known: Occurrence) -> Occurrence:
    """The configuration does not want it any more: end its silence, unless that is over or a person changed it."""
    silence = await find(work.tx, known.silence)
    if silence is None or not known.is_as_made(silence, work.now):
        return known
    await end(work, silence, "configuration")
    return replace(known, dropped=True)


def notice_at(entry: Recurring, occurrence: Occurrence) -> datetime | None:
    """When its people are to hear that it ends; None if they are not, as of one that is shorter than the notice."""
    if entry.notice is None or occurrence.noticed or occurrence.dropped:
        return None
    at = occurrence.until - entry.notice.before
    return at if at >= occurrence.began else None


async def _make(work: Work, entry: Recurring, until: datetime) -> Occurrence:
    made = Silence(
        id=await _free_id(work.tx, entry.name, until),
        matchers=entry.matchers,
        starts_at=work.now,
        ends_at=until,
        updated_at=work.now,
        created_by=entry.owner,
        comment=entry.comment,
        annotations={"recurring": entry.name},
    )
    await begin(work, made)
    return Occurrence(made.id, work.now, until, _digest(entry))


async def _free_id(tx: Tx, name: str, until: datetime) -> str:
    """The same on every bridge. One window may have several silences, as the configuration may end one and bring it back."""
    number = 0
    while True:
        found = str(uuid.uuid5(_NAMES, f"{name}\n{until.timestamp():.6f}\n{number}"))
        if await find(tx, found) is None:
            return found
        number += 1


def _digest(entry: Recurring) -> str:
    texts = (format_matchers(entry.matchers), entry.owner, entry.comment)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
