"""The databases that the contract holds for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import pytest

from bridge.storage.database import Database
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_transaction import Step
from bridge.storage.sqlite import SqliteDatabase

Opener = Callable[[], Awaitable[Database]]
Hold = Callable[[asyncio.Event], Awaitable[None]]


class Kind(Protocol):
    """One kind of database, for one test."""

    async def open(self) -> Database: ...

    async def hold(self, event: asyncio.Event) -> None:
        """Awaited in a unit: it stands still until the event, and the event loop does not."""
        ...


class Sqlite:
    def __init__(self, request: pytest.FixtureRequest) -> None:
        folder: Path = request.getfixturevalue("tmp_path")
        self._path = folder / "bridge.db"
        self._loop = asyncio.get_running_loop()

    async def open(self) -> Database:
        return await SqliteDatabase.open(self._path)

    async def hold(self, event: asyncio.Event) -> None:
        asyncio.run_coroutine_threadsafe(event.wait(), self._loop).result(10)


class Postgres:
    def __init__(self, request: pytest.FixtureRequest) -> None:
        self._url: str = request.getfixturevalue("postgres_url")

    async def open(self) -> Database:
        return await PostgresDatabase.open(self._url)

    async def hold(self, event: asyncio.Event) -> None:
        await Step(event.wait)


KINDS: dict[str, Callable[[pytest.FixtureRequest], Kind]] = {"sqlite": Sqlite, "postgres": Postgres}
DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
async def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param](request)


@pytest.fixture
async def reopen(kind: Kind) -> AsyncIterator[Opener]:
    """Opens the database of the test, one at a time; what an earlier opening committed is there."""
    opened: list[Database] = []

    async def opener() -> Database:
        for before in opened:
            await before.close()
        opened.append(await kind.open())
        return opened[-1]

    yield opener
    for database in opened:
        await database.close()


@pytest.fixture
async def database(reopen: Opener) -> Database:
    return await reopen()


@pytest.fixture
def hold(kind: Kind) -> Hold:
    """What a unit awaits to stand still until an event."""
    return kind.hold


@pytest.fixture(params=["sqlite", "postgres"])
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)
