"""What a PostgreSQL server must be before it is used, and what is said of one that is not."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg

from bridge.domain.errors import StorageError
from bridge.storage.postgres_address import Address
from bridge.storage.postgres_faults import Lost
from bridge.storage.postgres_link import Link
from bridge.storage.statements import statements

_OLDEST = 14
_POOLER_WAIT = 2.0
_OTHERS = ("CockroachDB", "-YB-")
"""Servers that speak PostgreSQL and count their own versions."""


async def judge(link: Link, address: Address) -> tuple[str, ...]:
    """Look at the server behind a connection; gives what weakens the promise that what is accepted is kept.

    Raises:
        StorageError: it cannot be used; the message says what to do.
    """
    row = await _asked(link, "server_state")
    if link.server_version < _OLDEST and not any(other in row.get("version", "") for other in _OTHERS):
        raise StorageError(
            f"{address.name} is PostgreSQL {link.server_version}; the bridge needs {_OLDEST} or newer: upgrade the server"
        )
    if row.get("encoding") not in {"UTF8", None}:
        raise StorageError(
            f"{address.name} is encoded in {row['encoding']}; the bridge needs UTF8: "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    await require_writable(link, address)
    return _weaknesses(row)


async def require_writable(link: Link, address: Address) -> None:
    """Raises Lost if the server is a standby."""
    row = await link.one(statements("postgres")["server_role"])
    if row is not None and row[0]:
        raise Lost(f"{address.name} is a standby and takes no writes: name the primary, or all hosts, in storage.url")


def _weaknesses(row: dict[str, str]) -> tuple[str, ...]:
    found = [
        f"{name} is off on the database server: a power cut there may damage the database"
        for name in ("fsync", "full_page_writes")
        if row.get(name) == "off"
    ]
    commit = row.get("synchronous_commit")
    if commit == "off":
        found.append("synchronous_commit is off on the database server: a crash there may lose what was accepted")
    elif commit == "local" and row.get("synchronous_standby_names"):
        found.append("synchronous_commit is local: a promoted standby may lack what was accepted")
    return tuple(found)


async def standbys(link: Link) -> str:
    """The server's synchronous_standby_names; empty if a commit waits for no other server."""
    return (await _asked(link, "server_state")).get("synchronous_standby_names") or ""


async def refuse_a_transaction_pooler(address: Address) -> None:
    """Raises StorageError if transactions of one connection run in different sessions of the server.

    Two connections take turns: where each has a session of its own, nothing the other does moves it to another.
    """
    first = await Link.open(address, pooled=True)
    second: Link | None = None
    try:
        second = await Link.open(address, pooled=True)
        if await _moves(first, second):
            raise StorageError(
                f"{address.name} is a pooler that gives each transaction another session (PgBouncer's pool_mode = "
                "transaction). The bridge needs sessions of its own: set pool_mode = session for this database, or name "
                "the server itself in storage.url"
            )
    finally:
        for link in (first, second):
            if link is not None:
                link.cut()


async def _moves(first: Link, second: Link) -> bool:
    try:
        async with asyncio.timeout(_POOLER_WAIT):
            before = await _session(first)
            await second.script("BEGIN")
            held = await _pid(second)
            after = await _session(first)
            with contextlib.suppress(asyncpg.PostgresError):
                await second.script("ROLLBACK")
    except TimeoutError:
        return True  # a pool of one session, and the other connection holds it
    except asyncpg.PostgresError:
        return True  # what one round trip prepared, the next did not find
    return before != after or held in {before, after}


async def _session(link: Link) -> int:
    await link.script("BEGIN")
    session = await _pid(link)
    await link.script("ROLLBACK")
    return session


async def _pid(link: Link) -> int:
    row = await link.one(statements("postgres")["server_session"])
    return int(row[0]) if row is not None else 0


async def _asked(link: Link, name: str) -> dict[str, str]:
    """Settings by name, as far as the server has them."""
    return {str(row[0]): str(row[1]) for row in await link.all(statements("postgres")[name])}
