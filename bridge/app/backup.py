"""`alertbridge backup`: a copy of the database, with the bridge running or not, and its record in the audit."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

from msgspec import Struct

from bridge import __version__
from bridge.app.trail import Trail, unlike_its_head
from bridge.domain.clock import Clock
from bridge.domain.errors import BridgeError, StorageError
from bridge.domain.moment import micros
from bridge.engine.backups import BackupFacts, put_on_record
from bridge.secrets.instance import InstanceKeys
from bridge.storage import restoration
from bridge.storage.backup import (
    CopyNote,
    copy_file,
    digest_of,
    leftovers,
    new_file,
    newest_schema,
    require_sound,
    schema_of,
    take_note,
)
from bridge.storage.database import Database
from bridge.storage.lock import FileLock
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_backup import copy_server
from bridge.storage.sqlite import SqliteDatabase

Progress = Callable[[str, int, int], None]
"""Called with the stage, how much is done, and of how much (0: unknown)."""

_SPARE = 64 * 2**20
Tell = Callable[[BackupFacts], None]
"""Asks the running bridge to put a backup on record. Raises BridgeError."""


class BackedUp(Struct, frozen=True):
    """What was made. `unrecorded` says why the audit does not tell of it; empty if it does."""

    facts: BackupFacts
    database: str
    at: int
    unrecorded: str


async def back_up(
    source: Path | Address,
    target: Path,
    *,
    keys: Callable[[], InstanceKeys],
    tell: Tell,
    by: str,
    clock: Clock,
    replace: bool,
    progress: Progress,
) -> BackedUp:
    """Copy the database into the file `target`, and put that on record.

    Where a bridge has the file, only that bridge may write to it, so it is asked (`tell`). On a server, and where no
    bridge runs, the record is written here, in a chain of its own. A copy that cannot be put on record is kept all the same.

    Raises:
        StorageError: there is no copy.
    """
    note = await asyncio.to_thread(_make, source, target, clock, replace=replace, progress=progress)
    digest = await asyncio.to_thread(digest_of, target)
    size = await asyncio.to_thread(lambda: target.stat().st_size)
    facts = BackupFacts(target.name, size, digest, note.seq, note.chain, note.hash)
    try:
        if isinstance(source, Path) and await asyncio.to_thread(_is_in_use, source):
            await asyncio.to_thread(tell, facts)
        else:
            await _record(source, facts, keys(), by, clock)
    except BridgeError as error:
        return BackedUp(facts, note.database, note.at, str(error))
    return BackedUp(facts, note.database, note.at, "")


def _make(source: Path | Address, target: Path, clock: Clock, *, replace: bool, progress: Progress) -> CopyNote:
    if isinstance(source, Path):
        schema_of(source)
        if target.exists() and target.samefile(source):
            raise StorageError(f"{target} is the database itself")
        _require_room(source, target)
    with new_file(target, replace=replace) as file:
        at = micros(clock.now())
        advance = partial(progress, "copying")
        if isinstance(source, Path):
            copy_file(source, file, advance)
        else:
            asyncio.run(copy_server(source, file, advance))
        progress("checking", 0, 0)
        require_sound(file)
        name = source.name
        return take_note(file, at, __version__, name, shared=isinstance(source, Address))


def _require_room(source: Path, target: Path) -> None:
    """A copy must not fill the disk that a bridge needs."""
    needed = sum(path.stat().st_size for path in leftovers(source)) + _SPARE
    try:
        free = shutil.disk_usage(target.parent).free
    except OSError as error:
        raise StorageError(f"{target.parent}: cannot be used: {error.strerror}") from error
    if free < needed:
        raise StorageError(
            f"{target.parent}: {free >> 20} MiB are free, and the copy needs {needed >> 20} MiB with what is to stay free"
        )


def _is_in_use(database: Path) -> bool:
    """Whether a bridge has the file."""
    lock = FileLock(database)
    try:
        lock.acquire()
    except StorageError:
        return True
    except OSError as error:
        raise StorageError(f"{lock.path}: cannot be opened: {error.strerror}") from error
    lock.release()
    return False


async def _record(source: Path | Address, facts: BackupFacts, keys: InstanceKeys, by: str, clock: Clock) -> None:
    if isinstance(source, Path) and schema_of(source) != newest_schema():
        raise StorageError(f"the database has schema {schema_of(source)}, and this version writes {newest_schema()}")
    database: Database
    if isinstance(source, Path):
        database = await SqliteDatabase.open(source)
    else:
        database = await PostgresDatabase.open(source.dsn.reveal())
    try:
        beside = source if isinstance(source, Path) else None
        restored = await database.read(restoration.load)
        if (restored is not None and not restored.declared_at) or (beside and await unlike_its_head(database, beside)):
            raise StorageError("the database was restored, and the next start of a bridge is to say so first")
        now = clock.now()
        trail = await Trail.begin(database, keys, now, {"version": __version__, "for": "backup"}, beside)
        try:
            await database.write(lambda tx: put_on_record(tx, facts, by, now))
        finally:
            await trail.end(clock.now())
    finally:
        await database.close()
