"""Migrations in halves: two versions share a database while one replaces the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from bridge.domain.errors import StorageError, StorageFatal
from bridge.storage import postgres_migrate, replicas
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.replicas import Replica
from bridge.storage.statements import Half, halves
from bridge.storage.transaction import Tx
from tests.contract.storage.units import NOW, fact, put
from tests.postgres import Cluster
from tests.unit.storage.losing import insist, opened

PRE = "ALTER TABLE meta ADD COLUMN author text NOT NULL DEFAULT '';"
POST = "ALTER TABLE meta DROP COLUMN author; CREATE TABLE chapters (id bigint PRIMARY KEY);"
SPAN = timedelta(seconds=30)
NOW_KNOWN = halves("postgres")[-1].number
NEXT = NOW_KNOWN + 1


@contextmanager
def newer(monkeypatch: pytest.MonkeyPatch, *more: Half) -> Iterator[None]:
    """The next version: it has these halves as well."""
    made_up = (*halves("postgres"), *(more or (Half(NEXT, "pre", PRE), Half(NEXT, "post", POST))))
    with monkeypatch.context() as patched:
        patched.setattr(postgres_migrate, "halves", lambda _dialect: made_up)
        yield


def beat(name: str, schema: int, span: timedelta = SPAN) -> object:
    async def unit(tx: Tx) -> None:
        await replicas.beat(tx, Replica(name, "0.1.0", schema), NOW, span)

    return unit


def columns(cluster: Cluster, url: str) -> set[str]:
    statement = "SELECT column_name FROM information_schema.columns WHERE table_name = 'meta'"
    return {row[0] for row in cluster.query(statement, url.rpartition("/")[2])}


def tables(cluster: Cluster, url: str) -> set[str]:
    return {
        row[0]
        for row in cluster.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", url.rpartition("/")[2])
    }


async def test_bridges_of_two_versions_share_the_database_while_one_replaces_the_other(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(postgres_url) as old:
        await old.write(beat("old", NOW_KNOWN))
        with newer(monkeypatch):
            async with opened(postgres_url) as new:
                assert new.migrated == (NOW_KNOWN, NEXT)
                assert new.waiting == (NEXT,)
                assert await old.write(put("by the old", "1")) == "by the old"
                assert await new.write(put("by the new", "1")) == "by the new"
                assert await fact(old, "by the new") == "1"
                assert "author" in columns(postgres, postgres_url)
                assert "chapters" not in tables(postgres, postgres_url)
        async with opened(postgres_url) as another:  # of the old version: only a post half would keep it out
            assert another.migrated == (NEXT, NOW_KNOWN)
        await old.write(lambda tx: replicas.gone(tx, "old"))
    forget_openings(postgres, postgres_url)
    with newer(monkeypatch):
        async with opened(postgres_url) as new:
            assert new.migrated == (NEXT, NEXT)
            assert new.waiting == ()
    assert "chapters" in tables(postgres, postgres_url)
    assert "author" not in columns(postgres, postgres_url)


def forget_openings(cluster: Cluster, url: str) -> None:
    """As a minute later."""
    cluster.query("UPDATE replicas SET seen_until = 0 WHERE id LIKE 'opening:%'", url.rpartition("/")[2])


async def test_a_version_that_does_not_know_what_was_taken_away_refuses_to_start(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with newer(monkeypatch):
        async with opened(postgres_url) as new:
            assert new.migrated == (0, NEXT)
    with pytest.raises(StorageError, match=rf"has schema {NEXT}, this version knows {NOW_KNOWN}.*restore a backup"):
        await PostgresDatabase.open(postgres_url)


async def test_who_is_just_starting_counts_as_there(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its look at the schema and its first beat nothing may be taken away from it."""
    async with opened(postgres_url):
        with newer(monkeypatch):
            async with opened(postgres_url) as new:
                assert new.waiting == (NEXT,)
                assert await new.read(replicas.present) == []


async def test_what_waits_is_done_by_a_running_bridge_once_the_old_ones_are_gone(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.storage.postgres._COMPLETES_EVERY", 0.1)
    async with opened(postgres_url) as old:
        await old.write(beat("old", NOW_KNOWN))
        with newer(monkeypatch):
            async with opened(postgres_url) as new:
                await old.write(lambda tx: replicas.gone(tx, "old"))
                forget_openings(postgres, postgres_url)
                await asyncio.to_thread(
                    postgres.until, "SELECT count(*) FROM pg_tables WHERE tablename = 'chapters'", "1",
                    postgres_url.rpartition("/")[2],
                )  # fmt: skip
                await insist(lambda: new.write(put("a", "1")))
                assert new.waiting == ()


async def test_a_bridge_that_comes_back_to_a_database_it_does_not_know_stops(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was away for so long that nobody reckoned with it any more."""
    stopped = asyncio.get_running_loop().create_future()
    old = await PostgresDatabase.open(postgres_url, fatal=stopped.set_result)
    try:
        await old.write(put("a", "1"))
        postgres.query(
            f"INSERT INTO bridge_schema VALUES ({NEXT}, 'post', 0); "
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alertbridge'",
            postgres_url.rpartition("/")[2],
        )
        assert "this version knows" in str(await asyncio.wait_for(stopped, 60))
        with pytest.raises(StorageFatal):
            await old.write(put("b", "1"))
    finally:
        await old.close()


@pytest.mark.parametrize("fault", ["CREATE TABLE meta (name text);", "INSERT INTO nowhere VALUES (1);", "gibberish;"])
async def test_a_migration_that_fails_in_the_middle_leaves_the_old_schema(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    async with opened(postgres_url) as database:
        await database.write(put("a", "1"))
    before = tables(postgres, postgres_url)
    with newer(monkeypatch, Half(NEXT, "pre", f"CREATE TABLE added (a text);\n{fault}")), pytest.raises(StorageError):
        await PostgresDatabase.open(postgres_url)
    assert tables(postgres, postgres_url) == before
    async with opened(postgres_url) as database:
        assert await fact(database, "a") == "1"


async def test_bridges_that_start_at_once_on_an_empty_database_make_it_once(postgres_url: str) -> None:
    databases = await asyncio.gather(*(PostgresDatabase.open(postgres_url) for _ in range(8)))
    try:
        assert sorted(database.migrated for database in databases) == [(0, NOW_KNOWN)] + [(NOW_KNOWN, NOW_KNOWN)] * 7
        await asyncio.gather(*(database.write(put("a", "1")) for database in databases))
    finally:
        await asyncio.gather(*(database.close() for database in databases))


async def test_bridges_of_a_new_version_that_start_at_once_migrate_it_once(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(postgres_url):
        pass
    with newer(monkeypatch, Half(NEXT, "pre", PRE)):
        databases = await asyncio.gather(*(PostgresDatabase.open(postgres_url) for _ in range(8)))
    await asyncio.gather(*(database.close() for database in databases))
    assert sorted(database.migrated for database in databases) == [(NOW_KNOWN, NEXT)] + [(NEXT, NEXT)] * 7


async def test_a_server_that_only_speaks_postgresql_gets_the_same_tables(
    postgres: Cluster, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CockroachDB has no collation C: there texts are compared by their bytes without one."""

    async def cockroach(_link: object) -> str:
        return "CockroachDB CCL v24.1"

    monkeypatch.setattr(postgres_migrate, "_version", cockroach)
    async with opened(postgres_url) as database:
        assert await database.write(put("a", "1")) == "a"
    collated = "SELECT count(*) FROM information_schema.columns WHERE collation_name = 'C' AND table_schema = 'public'"
    assert postgres.query(collated, postgres_url.rpartition("/")[2]) == [["0"]]
