"""After a commit that nobody answered: was it committed?

Whoever holds the turn sees everything that was committed, and nothing can be added meanwhile. The look itself ends with a
commit: on a server with a synchronous standby it comes back only when everything before it is on the standby too.
"""

from __future__ import annotations

from typing import Any

from bridge.domain.errors import StorageError
from bridge.storage.postgres_group import Mark
from bridge.storage.postgres_link import Link
from bridge.storage.statements import statements


async def was_committed(link: Link, mark: Mark) -> bool | None:
    """Whether the group is in the database; None if that cannot be told.

    Raises:
        StorageError: it could not be looked up.
    """
    sql = statements("postgres")
    await link.script("BEGIN ISOLATION LEVEL READ COMMITTED")
    turn = await link.one(sql["turn_take"])
    found = None if mark.record is None else await link.one(sql["audit_stored"], *mark.record)
    answer = _judge(mark, turn, found=found is not None)
    link.warnings.clear()
    await link.script(f"{sql['turn_hold']}; COMMIT")
    if link.warnings:
        raise StorageError(link.warnings[0])
    return answer


def _judge(mark: Mark, turn: tuple[Any, ...] | None, *, found: bool) -> bool | None:
    if turn is None:
        return None
    if found or turn[2] == mark.name:
        return True
    if mark.record is not None or tuple(turn) == mark.before:
        return False
    return None  # others have committed since, and it left no record
