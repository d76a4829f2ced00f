"""The databases that the contract holds for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.storage.sqlite import Database

DATABASES = ["sqlite"]

Opener = Callable[[], Awaitable[Database]]


@asynccontextmanager
async def sqlite(folder: Path) -> AsyncIterator[Opener]:
    """Opens the same database again and again, one at a time; closed at the end."""
    opened: list[Database] = []

    async def opener() -> Database:
        for before in opened:
            await before.close()
        opened.append(await Database.open(folder / "bridge.db"))
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
async def database(reopen: Opener) -> Database:
    return await reopen()


@pytest.fixture(params=DATABASES)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)
