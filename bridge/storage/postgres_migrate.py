"""Migrations of PostgreSQL, in halves, so that bridges of two versions can share a database while they are replaced.

A `pre` half only adds, and runs when the first bridge of the new version starts; bridges of the version before go on. A
`post` half takes away what only they needed, and runs once none of them is there. A bridge that finds a `post` half it
does not know refuses to start.
"""

from __future__ import annotations

import secrets

import asyncpg
from msgspec import Struct

from bridge import __version__
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import StorageBusy, StorageError, StorageFatal
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_faults import Contended
from bridge.storage.postgres_link import Link
from bridge.storage.statements import Half, halves, statements

_LONGEST = 3600.0
_TRIES = 10
_PATIENT = "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s'"
_COLLATION = ' COLLATE "C"'


class Migrated(Struct, frozen=True):
    """The schema's number before and after, and the `post` halves that wait for bridges of an older version to end."""

    before: int
    after: int
    waiting: tuple[int, ...] = ()


async def migrate(link: Link, address: Address) -> Migrated:
    """Bring the database to this version's schema.

    Raises:
        StorageError: it was written by a newer version or another program, or we may not make tables.
    """
    for _try in range(_TRIES):
        try:
            with link.within(_LONGEST):
                migrated = await _transaction(link, address)
        except Contended:
            continue
        except StorageBusy as error:
            if not isinstance(error.__cause__, asyncpg.InsufficientPrivilegeError):
                raise
            raise StorageError(
                f"{address.name}: the user may not make tables: {error.__cause__}. "
                "Let it own the database, or GRANT CREATE ON SCHEMA"
            ) from error
        except asyncpg.PostgresError as error:
            raise StorageError(f"{address.name}: the migration failed, and nothing of it is kept: {error}") from error
        if migrated is not None:
            return migrated
    raise StorageError(f"{address.name} has tables that are not alertbridge's: give the bridge a database of its own")


async def require_known(link: Link, address: Address) -> None:
    """Raises StorageFatal if a `post` half was applied meanwhile that this version does not know."""
    rows = await link.all(statements("postgres")["schema_halves"])
    try:
        _refuse_newer(rows, address)
    except StorageError as error:
        raise StorageFatal(str(error)) from error


async def _transaction(link: Link, address: Address) -> Migrated | None:
    """One try; None if others were making the same tables, or have made some of that name."""
    try:
        await link.script(_PATIENT)
        migrated = await _apply(link, address)
        crashpoint("migrate.mid")
        await link.script("COMMIT")
    except (asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
        await link.script("ROLLBACK")
        return None
    except BaseException:
        if not link.closed:
            await link.script("ROLLBACK")
        raise
    if migrated.before != migrated.after:
        await _tune(link)
    return migrated


async def _apply(link: Link, address: Address) -> Migrated:
    sql = statements("postgres")
    applied: set[tuple[int, str]] = set()
    if await link.one(sql["schema_there"]) is not None:
        await link.one(sql["turn_take"])
        rows = await link.all(sql["schema_halves"])
        _refuse_newer(rows, address)
        applied = {(row[0], row[1]) for row in rows}
    before = max((number for number, half in applied if half == "pre"), default=0)
    waiting: list[int] = []
    for half in halves("postgres"):
        if (half.number, half.half) in applied:
            continue
        if half.half == "post" and (waiting or await link.all(sql["replicas_older"], half.number)):
            waiting.append(half.number)
            continue
        await _run(link, half)
    newest = halves("postgres")[-1].number
    await link.run(sql["replica_opening"], secrets.token_hex(16), __version__, newest)
    return Migrated(before, newest, tuple(waiting))


async def _run(link: Link, half: Half) -> None:
    script = half.script
    if "CockroachDB" in await _version(link):  # there texts without a collation are compared by their bytes anyway
        script = script.replace(_COLLATION, "")
    await link.script(script)
    await link.run(statements("postgres")["schema_applied"], half.number, half.half)


async def _version(link: Link) -> str:
    rows = await link.all(statements("postgres")["server_state"])
    return next((row[1] for row in rows if row[0] == "version"), "")


async def _tune(link: Link) -> None:
    for name, statement in statements("postgres").items():
        if name.startswith("tune_"):
            try:
                await link.script(statement)
            except asyncpg.PostgresError:
                continue  # it goes without


def _refuse_newer(rows: list[tuple[int, str]], address: Address) -> None:
    newest = halves("postgres")[-1].number
    beyond = max((row[0] for row in rows if row[1] == "post" and row[0] > newest), default=0)
    if beyond:
        raise StorageError(
            f"{address.name} has schema {beyond}, this version knows {newest}: it was written by a newer alertbridge. "
            "Run that version, or restore a backup made before the upgrade."
        )
