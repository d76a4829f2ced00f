"""Silences as the database keeps them, and the number that grows with every change."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage import journal
from bridge.storage.text import pack, unpack
from bridge.storage.transaction import Row, Tx

_VERSION = "silences_version"
_matchers = msgspec.json.Decoder(tuple[tuple[str, str, str], ...])


class StoredSilence(Struct, frozen=True):
    """One silence. `matchers` are (name, operator, value)."""

    id: str
    matchers: tuple[tuple[str, str, str], ...]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    created_by: str
    comment: str
    annotations: Mapping[str, str]

    @property
    def size(self) -> int:
        """How many bytes its texts take."""
        texts = (self.created_by, self.comment, pack(self.annotations), _packed(self))
        return sum(len(text.encode()) for text in texts)


async def put(tx: Tx, silence: StoredSilence) -> None:
    """Add a silence, or replace the one with its id."""
    await tx.run(
        "silence_put", silence.id, _packed(silence), micros(silence.starts_at), micros(silence.ends_at),
        micros(silence.updated_at), silence.created_by, silence.comment, pack(silence.annotations),
    )  # fmt: skip


async def get(tx: Tx, silence: str) -> StoredSilence | None:
    row = await tx.one("silence_get", silence)
    return None if row is None else _of(row)


async def every(tx: Tx) -> list[StoredSilence]:
    """All that are kept, ended ones too, by id."""
    return [_of(row) for row in await tx.all("silences_all")]


async def unended(tx: Tx, now: datetime) -> list[StoredSilence]:
    """Those that are in force or will be, by id."""
    return [_of(row) for row in await tx.all("silences_ending_after", micros(now))]


async def count(tx: Tx) -> int:
    row = await tx.one("silences_count")
    return int(row[0]) if row else 0


async def drop_ended(tx: Tx, before: datetime, limit: int) -> int:
    """Delete silences that ended before that moment; gives how many."""
    return await tx.run("silences_prune", micros(before), limit)


async def version(tx: Tx) -> int:
    """Grows with every change of a silence, on whichever bridge."""
    return int(await journal.fact(tx, _VERSION) or 0)


async def changed(tx: Tx) -> int:
    """Note a change; gives the new version."""
    found = await version(tx) + 1
    await journal.set_fact(tx, _VERSION, str(found))
    return found


def _packed(silence: StoredSilence) -> str:
    return msgspec.json.encode(silence.matchers).decode()


def _of(row: Row) -> StoredSilence:
    return StoredSilence(
        row[0], _matchers.decode(row[1]), moment(row[2]), moment(row[3]), moment(row[4]), row[5], row[6], unpack(row[7])
    )


async def stop_timers(tx: Tx, silence: str) -> None:
    """Forget when it was to be looked at."""
    await tx.run("silence_timers_drop", silence)
