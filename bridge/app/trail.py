"""The audit chain of this start: its genesis, its checkpoints, its end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import structlog

from bridge.audit.chain import Chain, Head, genesis, new_chain_id
from bridge.audit.checkpoint import (
    CheckpointError,
    Checkpoints,
    anchor_line,
    first_missing,
    parse_note,
    publish,
    published,
)
from bridge.domain.audit import Kind, Record
from bridge.domain.crashpoint import crashpoint
from bridge.domain.moment import micros
from bridge.engine.restoration import declare
from bridge.secrets.instance import InstanceKeys
from bridge.storage.database import Database
from bridge.storage.transaction import Tx

_log = structlog.get_logger("bridge.audit")


class Trail:
    """Owns the chain. Checkpoints go into the database, beside it, and into the log as an anchor outside."""

    def __init__(
        self, database: Database, keys: InstanceKeys, chain: Chain, checkpoints: Checkpoints, beside: Path | None
    ) -> None:
        """`beside` is the database file, beside which the newest checkpoint is published; None if there is no file."""
        self._database = database
        self._keys = keys
        self._beside = beside
        self._chain = chain
        self._checkpoints = checkpoints
        self._signing = asyncio.Lock()
        self._counted = 0
        self.restored = ""

    @classmethod
    async def begin(
        cls, database: Database, keys: InstanceKeys, now: datetime, facts: Mapping[str, str], beside: Path | None
    ) -> Trail:
        """Start a new chain after the last record; `restored` says so if the database is a copy, or older than its head file."""
        last = await database.read(_last_head)
        note = await database.read(_last_note)
        checkpoints, damaged = _following(keys, note)
        chain = Chain.start(new_chain_id(), None if database.shared else last)
        trail = cls(database, keys, chain, checkpoints, beside)
        mismatch = await unlike_its_head(database, beside) if beside is not None else ""
        database.chain(trail._chain)
        before, after = database.migrated

        async def start(tx: Tx) -> str:
            tx.record(genesis(now, await _last_head(tx), facts))
            if 0 < before < after:
                tx.record(Record(now, Kind.MIGRATED, detail=f"from schema {before} to {after}"))
            if damaged:
                tx.record(Record(now, Kind.RESTORED, reason="audit_head", detail=damaged))
            return await declare(tx, now, mismatch, shared=database.shared)

        trail.restored = await database.write(start) or damaged
        return trail

    def uncounted(self) -> int:
        """How many records were written since the last call."""
        written = self._chain.length - self._counted
        self._counted += written
        return written

    async def checkpoint_if_due(self, now: datetime) -> None:
        """Sign the heads if there is something new to sign and it is time."""
        if await self.due(now):
            await self.checkpoint(now)

    async def due(self, now: datetime) -> bool:
        """Whether there is something new to sign and it is time."""
        if not self._database.shared:
            newest = self._chain.head
        else:  # others record too, and may have signed
            found, note = await self._database.read(_last_head), await self._database.read(_last_note)
            if found is None:
                return False
            newest, self._checkpoints = found, _following(self._keys, note)[0]
        return self._checkpoints.is_due(now, newest)

    async def checkpoint(self, now: datetime) -> None:
        """Sign the heads of all chains as of the last commit."""
        async with self._signing:
            crashpoint("audit.before_checkpoint")

            async def sign(tx: Tx) -> str:
                # Units never interleave, so the heads stand still, and so does the checkpoint before.
                checkpoints = self._checkpoints
                if self._database.shared:
                    checkpoints = _following(self._keys, await _last_note(tx))[0]
                note = checkpoints.note(await _heads_since(tx, checkpoints.signed_through), now)
                crashpoint("audit.after_sign")
                await tx.run("checkpoint_add", micros(now), note)
                return note

            note = await self._database.write(sign)
            self._checkpoints = Checkpoints(self._keys, note)
            if self._beside is not None:
                try:
                    await asyncio.to_thread(publish, self._beside, note)
                except OSError as error:
                    _log.error("audit_head_not_written", error=str(error))
            crashpoint("anchor.after_publish")
            _log.info("audit_checkpoint", anchor=anchor_line(note))

    async def end(self, now: datetime) -> None:
        """Record the orderly stop, and sign it: the last checkpoint follows `stopped`."""

        async def stop(tx: Tx) -> None:
            tx.record(Record(now, Kind.STOPPED))

        await self._database.write(stop)
        await self.checkpoint(now)


async def _last_head(tx: Tx) -> Head | None:
    row = await tx.one("audit_last")
    return None if row is None else Head(row[1], row[0], row[2])


async def _heads_since(tx: Tx, seq: int) -> list[Head]:
    """The last record of each chain that has any after `seq`."""
    return [Head(row[1], row[0], row[2]) for row in await tx.all("audit_heads_since", seq)]


async def _last_note(tx: Tx) -> str | None:
    row = await tx.one("checkpoint_last")
    return None if row is None else str(row[0])


def _following(keys: InstanceKeys, note: str | None) -> tuple[Checkpoints, str]:
    """Checkpoints that go on after the stored one; begun anew, with the reason, if that one is damaged."""
    try:
        return Checkpoints(keys, note), ""
    except CheckpointError as error:
        return Checkpoints(keys, None), f"the newest checkpoint in the database cannot be read: {error}"


async def unlike_its_head(database: Database, beside: Path) -> str:
    """Why the database is not the one its head file speaks of, empty if it is.

    Whatever is wrong here must not keep the bridge from taking alerts: it starts, and says so.
    """
    note = await asyncio.to_thread(published, beside)
    if note is None:
        return ""
    try:
        heads = parse_note(note).heads
    except CheckpointError as error:
        return f"{beside.name}.audit-head cannot be read: {error}"

    async def found(tx: Tx) -> dict[int, tuple[str, bytes]]:
        rows = [await tx.one("audit_hash", head.seq) for head in heads]
        return {row[0]: (row[1], row[2]) for row in rows if row is not None}

    rows = await database.read(found)
    missing = first_missing(note, rows.get)
    if missing is None:
        return ""
    return f"record {missing}, which {beside.name}.audit-head has signed, is not in the database as it was signed"
