"""The databases that the contract holds for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.storage.sqlite import SqliteDatabase

DATABASES = ["sqlite"]

Opener = Callable[[], Awaitable[SqliteDatabase]]


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Opener]:
    """Opens the same database again and again, one at a time; closed at the end."""
    opened: list[SqliteDatabase] = []

    async def opener() -> SqliteDatabase:
        for before in opened:
            await before.close()
        opened.append(await SqliteDatabase.open(folder / "bridge.db"))
        return opened[-1]

    yield opener
    for database in opened:
        await database.close()


KINDS = {"sqlite": sqlite}


@pytest.fixture(params=DATABASES)
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens the database of the test; what an earlier opening committed is there."""
    async with KINDS[request.param](tmp_path) as opener:
        yield opener


@pytest.fixture
async def database(reopen: Opener) -> SqliteDatabase:
    return await reopen()


@pytest.fixture(params=DATABASES)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)
