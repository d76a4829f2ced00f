"""A backup that was made goes on record, if it is one of this database."""

from __future__ import annotations

from datetime import datetime

import msgspec
from msgspec import Struct

from bridge.domain.audit import Kind, Record
from bridge.domain.errors import Conflict
from bridge.storage.transaction import Tx


class BackupFacts(Struct, frozen=True):
    """A file that was made: its name, its size, its SHA-256 (hex), and the newest audit record in it (`hash` in hex)."""

    file: str
    bytes: int
    digest: str
    seq: int
    chain: str
    hash: str


class _Detail(Struct, frozen=True):
    file: str
    bytes: int
    through: int


async def put_on_record(tx: Tx, backup: BackupFacts, by: str, now: datetime) -> None:
    """Record a backup.

    Raises:
        Conflict: its newest record is not in this database.
    """
    row = await tx.one("audit_hash", backup.seq)
    if row is None or (str(row[1]), bytes(row[2]).hex()) != (backup.chain, backup.hash):
        raise Conflict("this is a copy of another database than this bridge's")
    detail = msgspec.json.encode(_Detail(backup.file, backup.bytes, backup.seq)).decode()
    tx.record(Record(now, Kind.BACKUP, actor=by, digest=backup.digest, detail=detail))
