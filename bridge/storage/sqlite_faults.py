"""Which of SQLite's errors mean "not now", and which that the database can no longer be trusted."""

from __future__ import annotations

import sqlite3

from bridge.domain.errors import StorageBusy, StorageError, StorageFatal

_FATAL = frozenset(
    {
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    }
)
_BUSY = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)
# I/O errors that only say that there was no room: nothing was written, and nothing is in doubt.
_NO_ROOM = frozenset({sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_NOMEM})
_OF_A_READER = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY})


def fault_of(error: BaseException, *, reading: bool = False) -> StorageError | None:
    """The storage's fault behind an error, None if the unit that was running is to blame.

    A reader that cannot open its connection (no file descriptors left) says nothing against the database.
    """
    if isinstance(error, StorageError):
        return error
    if not isinstance(error, sqlite3.Error):
        return None
    code = getattr(error, "sqlite_errorcode", 0)
    kind = code & 0xFF
    failure: StorageError
    if kind in _BUSY or code in _NO_ROOM or (reading and kind == sqlite3.SQLITE_CANTOPEN):
        failure = StorageBusy(f"the database cannot take it now: {error}")
    elif kind in _FATAL and not (reading and kind in _OF_A_READER):
        failure = StorageFatal(f"the database failed: {error}")
    else:
        return None
    failure.__cause__ = error
    return failure


def no_room(error: BaseException | None) -> bool:
    """Whether a unit failed because the disk is full."""
    cause = error.__cause__ if isinstance(error, StorageBusy) else None
    code = getattr(cause, "sqlite_errorcode", 0)
    return code & 0xFF == sqlite3.SQLITE_FULL or code in _NO_ROOM
