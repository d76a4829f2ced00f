"""The silences of this bridge, or of all bridges on a shared database: made, edited, ended, and at hand in memory."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.clock import Clock
from bridge.domain.errors import NotFound
from bridge.engine.silence_rules import SilenceRefused, check_times, matchers_of, may_keep_id
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.ingest.posted_silence import PostedSilence
from bridge.routing.matchers import Matcher, Operator, format_matchers
from bridge.routing.silences import Silence, Silences
from bridge.storage import silences, timers
from bridge.storage.silences import StoredSilence
from bridge.storage.transaction import Tx

MAX_SILENCES = 50_000
"""Ended ones included, which are kept for a while."""
MAX_SIZE = 65_536
"""Bytes of the texts of one silence."""
TIMER = "silence"
"""The kind of timer that says that a silence begins, ends, or was changed; `data` is its id."""
_EVERY = 1.0


class _Change(Struct, frozen=True):
    """What a transaction did: the id to answer, the version it made, the silences as they are now."""

    id: str
    version: int
    silences: tuple[Silence, ...] = ()


class SilenceBook:
    """`snapshot` holds what is in force or will be; it is replaced, never changed.

    Every change is one transaction with its audit record and the timers of what follows from it. Another bridge's
    changes are noticed within a second.
    """

    def __init__(self, transactions: Transactions, clock: Clock) -> None:
        self._transactions = transactions
        self._clock = clock
        self._known: dict[str, Silence] = {}
        self._version = -1
        self.snapshot = Silences()
        self.turns = Turns("silences")
        transactions.refresh_silences = self.refresh

    async def load(self) -> None:
        """Read what is in force or will be."""
        now = self._clock.now()

        async def rows(tx: Tx) -> tuple[int, list[StoredSilence]]:
            return await silences.version(tx), await silences.unended(tx, now)

        version, found = await self._transactions.read(rows)
        if version >= self._version:
            self._version = version
            self._known = {}
            self._take(map(_silence, found), now)

    async def run(self) -> None:
        """Follow what other bridges change, until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def every(self) -> list[Silence]:
        """All that are kept, ended ones too, by id."""
        return [_silence(row) for row in await self._transactions.read(silences.every)]

    async def get(self, silence: str) -> Silence:
        """One of them.

        Raises:
            NotFound: there is none with this id.
        """
        found = await self._transactions.read(lambda tx: silences.get(tx, silence))
        if found is None:
            raise NotFound(f"no silence {silence[:40]}")
        return _silence(found)

    async def put(self, posted: PostedSilence, author: str, now: datetime) -> str:
        """Make a silence, or edit the one with the id that is posted; gives its id, which an edit may change.

        `author` made it, and is the actor on record.

        Raises:
            SilenceRefused: it makes no sense, or there are too many.
            NotFound: there is none with this id.
        """
        ends_at = check_times(posted, now)
        matchers = matchers_of(posted.matchers)
        wanted = Silence(
            id=posted.id,
            matchers=matchers,
            starts_at=posted.starts_at or now,
            ends_at=ends_at,
            updated_at=now,
            created_by=author,
            comment=posted.comment,
            annotations=posted.annotations,
        )
        if (size := _stored(wanted).size) > MAX_SIZE:
            raise SilenceRefused(f"silence exceeded maximum size: {size} bytes (limit: {MAX_SIZE} bytes)")

        async def decision(work: Work) -> _Change:
            return await _put(work, replace(wanted, updated_at=work.now))

        return await self._committed(await self._transactions.write(now, decision))

    async def expire(self, silence: str, actor: str, now: datetime) -> None:
        """End a silence now; one that has ended stays as it is.

        Raises:
            NotFound: there is none with this id.
        """

        async def decision(work: Work) -> _Change:
            found = await _existing(work, silence)
            if found.state(work.now) == "expired":
                return _Change(silence, -1)
            ended = await _end(work, found, actor)
            return _Change(silence, await silences.changed(work.tx), (ended,))

        await self._committed(await self._transactions.write(now, decision))

    async def _committed(self, change: _Change) -> str:
        if change.version == self._version + 1:
            self._version = change.version
            self._take(change.silences, self._clock.now())
        elif change.version > self._version:
            await self.load()
        return change.id

    async def refresh(self) -> None:
        """Read them again if another bridge changed any."""
        if await self._transactions.read(silences.version) != self._version:
            await self.load()

    async def _turn(self) -> float:
        await self.refresh()
        return _EVERY

    def _take(self, found: Sequence[Silence] | map[Silence], now: datetime) -> None:
        self._known.update({silence.id: silence for silence in found})
        self._known = {id_: silence for id_, silence in self._known.items() if silence.state(now) != "expired"}
        self.snapshot = self._transactions.silences = Silences(self._known.values())


async def find(tx: Tx, silence: str) -> Silence | None:
    """One of those that are kept."""
    found = await silences.get(tx, silence)
    return None if found is None else _silence(found)


async def begin(work: Work, silence: Silence) -> None:
    """Make a silence within a larger unit; by the version that grows those who keep silences in memory learn of it."""
    await _keep(work, silence, Kind.SILENCE_CREATED)
    await _ring(work, silence, at_once=True)
    await silences.changed(work.tx)


async def end(work: Work, silence: Silence, reason: str) -> None:
    """End one, as `begin` makes one."""
    await _end(work, silence, "bridge", reason)
    await silences.changed(work.tx)


async def _put(work: Work, wanted: Silence) -> _Change:
    found = await _existing(work, wanted.id) if wanted.id else None
    if found is not None and may_keep_id(found, wanted, work.now):
        await _keep(work, wanted, Kind.SILENCE_UPDATED)
        await _ring(work, wanted, at_once=True)
        return _Change(wanted.id, await silences.changed(work.tx), (wanted,))
    if (number := await silences.count(work.tx)) >= MAX_SILENCES:
        raise SilenceRefused(f"exceeded maximum number of silences: {number} (limit: {MAX_SILENCES})")
    made = replace(wanted, id=str(uuid.uuid4()), starts_at=max(wanted.starts_at, work.now))
    changed: tuple[Silence, ...] = (made,)
    if found is not None and found.state(work.now) != "expired":
        changed = (made, await _end(work, found, wanted.created_by))
    await _keep(work, made, Kind.SILENCE_CREATED, replaces="" if found is None else found.id)
    await _ring(work, made, at_once=made.starts_at <= work.now)
    return _Change(made.id, await silences.changed(work.tx), changed)


async def _end(work: Work, found: Silence, actor: str, reason: str = "") -> Silence:
    ended = replace(found, starts_at=min(found.starts_at, work.now), ends_at=work.now, updated_at=work.now)
    await _keep(work, ended, Kind.SILENCE_EXPIRED, actor, reason=reason)
    await _ring(work, ended, at_once=True)
    return ended


async def _keep(
    work: Work, silence: Silence, kind: Kind, actor: str = "", *, reason: str = "", replaces: str = ""
) -> None:
    """Store it, and put on record who did what."""
    await silences.put(work.tx, _stored(silence))
    detail = {
        "silence": silence.id,
        "matchers": format_matchers(silence.matchers),
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "comment": silence.comment,
        **({"replaces": replaces} if replaces else {}),
    }
    actor = actor or silence.created_by or "anonymous"
    work.record(kind, actor=actor, reason=reason, detail=msgspec.json.encode(detail).decode())


async def _ring(work: Work, silence: Silence, *, at_once: bool) -> None:
    """Have it looked at when it begins and when it ends, and where something that was in force changed, at once."""
    await silences.stop_timers(work.tx, silence.id)
    moments = {at for at in (silence.starts_at, silence.ends_at) if at > work.now} | ({work.now} if at_once else set())
    for at in sorted(moments):
        await timers.add(work.tx, TIMER, at, silence.id)
        work.effects.due(at)


async def _existing(work: Work, silence: str) -> Silence:
    found = await silences.get(work.tx, silence)
    if found is None:
        raise NotFound("silence not found")
    return _silence(found)


async def unended(tx: Tx, now: datetime) -> Silences:
    """Those that are in force at that moment or will be, as a database has them."""
    return Silences(map(_silence, await silences.unended(tx, now)))


def _silence(row: StoredSilence) -> Silence:
    matchers = tuple(Matcher(name, cast("Operator", operator), value) for name, operator, value in row.matchers)
    return Silence(
        row.id, matchers, row.starts_at, row.ends_at, row.updated_at, row.created_by, row.comment, row.annotations
    )


def _stored(silence: Silence) -> StoredSilence:
    return StoredSilence(
        silence.id,
        tuple((matcher.name, matcher.op, matcher.value) for matcher in silence.matchers),
        silence.starts_at,
        silence.ends_at,
        silence.updated_at,
        silence.created_by,
        silence.comment,
        silence.annotations,
    )
