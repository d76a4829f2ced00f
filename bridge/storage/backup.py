"""Copies of a database as one SQLite file: made beside a running bridge, judged, and made ready to be started on.

A copy is read on connections that cannot write to what they read from, and never checkpoint it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from bridge.domain.errors import StorageError
from bridge.storage.migrate import migrate
from bridge.storage.statements import migrations, statements

Advance = Callable[[int, int], None]
"""Called with how much is done, and of how much."""

NOTE = "backup"
SHARED_HISTORY = "shared_history"
_PAGES = 512
_SQL = statements("sqlite")
_SIDE_FILES = ("-wal", "-shm", "-journal")


class CopyNote(msgspec.Struct, frozen=True):
    """What a copy says of itself. `at` is in µs since 1970; `seq`, `chain`, `hash` (hex) are of its newest audit record."""

    at: int
    version: str
    database: str
    seq: int = 0
    chain: str = ""
    hash: str = ""


def schema_of(path: Path) -> int:
    """The schema's number of a database file.

    Raises:
        StorageError: there is no such file, or it is no database of the bridge.
    """
    if not path.is_file():
        raise StorageError(f"{path}: there is no such file")
    try:
        with closing(open_reading(path)) as connection:
            number = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if not number or connection.execute(_SQL["copy_is_ours"]).fetchone()[0] != 2:
                raise StorageError(f"{path} is no database of alertbridge")
            return number
    except sqlite3.Error as error:
        raise StorageError(f"{path}: cannot be read: {error}") from error


def newest_schema() -> int:
    """The schema's number of this version."""
    return migrations("sqlite")[-1][0]


def copy_file(source: Path, target: Path, advance: Advance) -> None:
    """Copy a database as it is now into the existing empty file `target`, on disk when this returns.

    Raises:
        StorageError: it cannot be read, or there is no room.
    """
    try:
        with closing(open_reading(source)) as connection, closing(_making(target)) as copy:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()  # all of it is of this moment
            connection.backup(copy, pages=_PAGES, progress=lambda _status, left, total: advance(total - left, total))
            copy.execute("PRAGMA journal_mode = DELETE")  # the copy is one file, without a log beside it
    except sqlite3.Error as error:
        raise StorageError(f"{source}: cannot be copied: {error}") from error


def take_note(copy: Path, at: int, version: str, database: str, *, shared: bool) -> CopyNote:
    """Write into a copy what it is a copy of; `shared`: of a database that several bridges wrote to."""
    with closing(_making(copy)) as connection:
        head = connection.execute(_SQL["copy_head"]).fetchone()
        note = CopyNote(at, version, database, *(head[1:] if head else ()))
        _set_fact(connection, NOTE, msgspec.json.encode(note).decode())
        if shared:
            _set_fact(connection, SHARED_HISTORY, "1")
    return note


def note_of(copy: Path) -> CopyNote:
    """What a copy says of itself; of a file that was copied by hand, what its newest record tells.

    Raises:
        StorageError: it cannot be read.
    """
    try:
        with closing(open_reading(copy)) as connection:
            row = connection.execute(_SQL["meta_get"], (NOTE,)).fetchone()
            head = connection.execute(_SQL["copy_head"]).fetchone()
    except sqlite3.Error as error:
        raise StorageError(f"{copy}: cannot be read: {error}") from error
    try:
        return msgspec.json.decode(row[0] if row else "", type=CopyNote)
    except msgspec.MsgspecError:
        return CopyNote(head[0], "", "", *head[1:]) if head else CopyNote(0, "", "")


def require_sound(copy: Path) -> None:
    """Let SQLite look at every page.

    Raises:
        StorageError: the file is damaged.
    """
    try:
        with closing(open_reading(copy)) as connection:
            found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(5)")]
    except sqlite3.Error as error:
        raise StorageError(f"the copy is damaged: {error}") from error
    if found != ["ok"]:
        raise StorageError(f"the copy is damaged: {'; '.join(found)}")


def make_ready(copy: Path, fact: str, value: str, now: int) -> None:
    """Turn a copy into a database to start on: claims are void, what waits is as young as now, and it knows what it is.

    `now` is in µs since 1970; 0 leaves the age of what waits as it is.
    """
    with closing(_making(copy)) as connection:
        connection.execute("BEGIN")
        connection.execute(_SQL["copy_void_claims"])
        if now:
            connection.execute(_SQL["deliveries_rejuvenate"], (now, now))
        connection.execute(_SQL["copy_forget"], (NOTE,))
        _set_fact(connection, fact, value)
        connection.execute("COMMIT")


def migrate_copy(copy: Path) -> None:
    """Bring a copy to this version's schema.

    Raises:
        StorageError: it was written by a newer version.
    """
    with closing(_making(copy)) as connection:
        migrate(connection)


def newest_checkpoint(copy: Path) -> str | None:
    """The text of the newest stored checkpoint."""
    with closing(open_reading(copy)) as connection:
        row = connection.execute(_SQL["checkpoint_last"]).fetchone()
    return None if row is None else str(row[0])


def leftovers(database: Path) -> list[Path]:
    """The database file and what SQLite keeps beside it, as far as they are there."""
    return [path for path in (database, *(Path(f"{database}{end}") for end in _SIDE_FILES)) if path.exists()]


def digest_of(path: Path) -> str:
    """The SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def new_file(target: Path, *, replace: bool) -> Iterator[Path]:
    """An empty file (0600) beside `target`, which takes its place, on disk, when the block ends well.

    Raises:
        StorageError: there is a file already and it is not to be replaced, or it cannot be written.
    """
    if target.exists() and not replace:
        raise StorageError(f"{target} is there already, and is not overwritten")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            yield temporary
            _sync(temporary)
            if replace:
                temporary.replace(target)
            else:
                os.link(temporary, target)  # unlike a rename, a link never replaces what is there
            _sync(target.parent)
        finally:
            for left in leftovers(temporary):
                left.unlink(missing_ok=True)
    except FileExistsError as error:
        raise StorageError(f"{target} is there already, and is not overwritten") from error
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error


def _set_fact(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute(_SQL["meta_set"], (name, value))


def open_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write to the file, and so never checkpoints it. Raises sqlite3.Error."""
    connection = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True, isolation_level=None)
    with contextlib.suppress(sqlite3.Error):
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def _making(path: Path) -> sqlite3.Connection:
    """A connection to a file that nobody else knows yet: it is synced once, at the end."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = OFF")
    return connection


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
