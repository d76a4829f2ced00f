"""What happens to connections, and how to wait for what a database does about it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from bridge.domain.errors import StorageBusy
from bridge.storage import postgres, postgres_group, postgres_readers
from bridge.storage.postgres import PostgresDatabase
from tests.tcp_proxy import Link, TcpProxy, proxy_to

COMMIT = b"COMMIT\x00"


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[PostgresDatabase]:
    database = await PostgresDatabase.open(url)
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def behind_a_proxy(url: str) -> AsyncIterator[tuple[PostgresDatabase, TcpProxy]]:
    """A database that is reached through a proxy."""
    parts = urlsplit(url)
    async with proxy_to(parts.hostname or "", parts.port or 0) as proxy:
        through = url.replace(f":{parts.port}/", f":{proxy.port}/")
        async with opened(through) as database:
            yield database, proxy


def hasten(monkeypatch: pytest.MonkeyPatch, seconds: float = 0.5) -> None:
    """Deadlines that would make a test long."""
    monkeypatch.setattr(postgres_group, "GROUP", seconds)
    monkeypatch.setattr(postgres_group, "COMMIT", seconds)
    monkeypatch.setattr(postgres_readers, "_READ", seconds)
    monkeypatch.setattr(postgres, "COMMIT", seconds)


def at_commit(act: Callable[[Link], bytes | None], *, answered: bool) -> Callable[[Link, bool, bytes], bytes | None]:
    """A watch that acts once: when a commit of something written is on its way, or when its answer is."""
    state = {"under way": False, "done": False}

    def watch(link: Link, from_client: bool, data: bytes) -> bytes | None:
        if state["done"]:
            return data
        if from_client and COMMIT in data and b"UPDATE turn" in data:
            state["under way"] = True
            if answered:
                return data
        if state["under way"] and from_client is not answered:
            state["done"] = True
            return act(link)
        return data

    return watch


def cut(link: Link) -> None:
    """Nothing comes through, and both sides are told."""
    link.reset()


async def insist(write: Callable[[], Awaitable[object]], within: float = 30.0) -> int:
    """Again until it is not "not now"; how often it was."""
    end = time.monotonic() + within
    tries = 0
    while True:
        try:
            await write()
        except StorageBusy:
            assert time.monotonic() < end, "the database does not come back"
            tries += 1
            await asyncio.sleep(0.05)
        else:
            return tries
