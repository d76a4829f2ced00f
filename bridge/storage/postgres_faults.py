"""Which of PostgreSQL's errors mean "not now", and which that the database can no longer be trusted."""

from __future__ import annotations

import asyncpg

from bridge.domain.errors import StorageBusy, StorageError, StorageFatal

_DAMAGED = frozenset({"XX001", "XX002"})
_CONTENDED = frozenset({"40001", "40P01"})
_GONE = frozenset({"25006", "25P03", "25P04", "40003"})
"""A server that takes no writes, a transaction that stood still too long, a commit of which a cluster lost track."""

_OF_THE_UNIT = ("22", "23", "42", "54")
_OURS = frozenset({"42501", "42P01", "42703"})
"""Rights withdrawn, or a table or column gone: nothing that a unit could be blamed for."""

_CONNECTION = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError, EOFError)


class Contended(StorageBusy):
    """Another transaction was in the way: at once again it may well succeed."""


class Lost(StorageBusy):
    """The connection is gone, or leads to a server that takes no writes."""


def fault_of(error: BaseException) -> StorageError | None:
    """The storage's fault behind an error of the driver, None if what was asked of it is to blame."""
    if isinstance(error, StorageError):
        return error
    failure: StorageError | None = None
    if isinstance(error, asyncpg.PostgresError):
        failure = _of_server(error)
    elif isinstance(error, ValueError):
        return None  # the driver's word for a value that fits no column
    elif isinstance(error, _CONNECTION):
        failure = Lost(f"the connection to the database is gone: {_text(error)}")
    if failure is not None:
        failure.__cause__ = error
    return failure


def _of_server(error: asyncpg.PostgresError) -> StorageError | None:
    state = error.sqlstate or ""
    if state in _DAMAGED:
        return StorageFatal(f"the database is damaged: {_text(error)}")
    if state in _CONTENDED:
        return Contended(f"the database cannot take it now: {_text(error)}")
    if state.startswith(("08", "57P")) or state in _GONE:
        return Lost(f"the connection to the database is gone: {_text(error)}")
    if state.startswith(_OF_THE_UNIT) and state not in _OURS:
        return None
    return StorageBusy(f"the database cannot take it now: {_text(error)}")


def _text(error: BaseException) -> str:
    """The first line: what follows may quote rows."""
    if isinstance(error, asyncpg.InternalClientError):  # what the driver makes of an end that it did not ask for
        return "the server ended the session"
    return (str(error).splitlines() or [type(error).__name__])[0]
