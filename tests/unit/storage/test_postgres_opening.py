"""What a server must be to be used, and what is said of one that is not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bridge.domain.errors import StorageError
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.statements import halves
from tests.contract.storage.units import fact, put
from tests.pgbouncer import pgbouncer
from tests.postgres import ROLE, Cluster
from tests.running_bridge import free_port
from tests.unit.storage.losing import opened

NEWEST = halves("postgres")[-1].number


@pytest.fixture
def roles(postgres: Cluster, postgres_url: str) -> Iterator[str]:
    """A role without any right of its own; its name is its password."""
    postgres.query("CREATE ROLE guest LOGIN PASSWORD 's3cret'")
    yield "guest"
    database = postgres_url.rpartition("/")[2]
    postgres.query("DROP OWNED BY guest", database)
    postgres.query("DROP ROLE guest")


async def refused(url: str) -> str:
    with pytest.raises(StorageError) as error:
        await PostgresDatabase.open(url)
    assert "s3cret" not in str(error.value)
    return str(error.value)


async def test_a_new_database_gets_the_newest_schema_and_an_old_one_keeps_what_it_has(postgres_url: str) -> None:
    async with opened(postgres_url) as database:
        assert database.migrated == (0, NEWEST)
        await database.write(put("a", "1"))
    async with opened(postgres_url) as database:
        assert database.migrated == (NEWEST, NEWEST)
        assert await fact(database, "a") == "1"


async def test_the_name_for_people_is_host_and_database(postgres_url: str) -> None:
    async with opened(postgres_url.replace("bridge@", "bridge:s3cret@")) as database:
        assert database.name == postgres_url.rpartition("@")[2]


async def test_a_server_that_is_not_there_is_named() -> None:
    port = free_port()
    said = await refused(f"postgresql://bridge:s3cret@127.0.0.1:{port}/alerts")
    assert f"127.0.0.1:{port}/alerts cannot be reached" in said


async def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.storage.postgres_link.CONNECT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = await refused(f"postgresql://bridge:s3cret@127.0.0.1:{silent.getsockname()[1]}/alerts")
    assert "does not answer within" in said


async def test_a_database_that_is_not_there_is_named_with_what_to_do(postgres: Cluster) -> None:
    assert "nowhere is no database there: make it with CREATE DATABASE" in await refused(postgres.dsn("nowhere"))


async def test_a_user_that_is_not_there_is_refused(postgres: Cluster, postgres_url: str) -> None:
    said = await refused(postgres_url.replace(f"{ROLE}@", "nobody:s3cret@"))
    assert "nobody" in said


async def test_a_wrong_password_is_called_one(postgres: Cluster, roles: str) -> None:
    rules = postgres.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all {roles} 127.0.0.1/32 scram-sha-256\n{before}")
    postgres.reload()
    try:
        url = f"postgresql://{roles}:s3cret-no@127.0.0.1:{postgres.port}/postgres"
        assert "refuses the user or the password of storage.url" in await refused(url)
    finally:
        rules.write_text(before)
        postgres.reload()


async def test_a_user_that_may_not_make_tables_is_told_which_right_is_missing(postgres_url: str, roles: str) -> None:
    said = await refused(postgres_url.replace(f"{ROLE}@", f"{roles}:s3cret@"))
    assert "may not make tables" in said
    assert "GRANT CREATE ON SCHEMA" in said


async def test_an_encoding_that_cannot_hold_every_text_is_refused(postgres: Cluster) -> None:
    postgres.query("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        assert "encoded in LATIN1; the bridge needs UTF8" in await refused(postgres.dsn("narrow"))
    finally:
        postgres.drop("narrow")


async def test_tables_of_another_program_are_not_touched(postgres: Cluster, postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    postgres.query("CREATE TABLE audit (id int)", database)
    assert "tables that are not alertbridge's" in await refused(postgres_url)
    tables = postgres.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", database)
    assert tables == [["1"]]


async def test_a_schema_of_its_own_in_a_database_of_others_is_enough(postgres: Cluster, postgres_url: str) -> None:
    database = postgres_url.rpartition("/")[2]
    postgres.query("CREATE TABLE audit (id int); CREATE SCHEMA ours", database)
    async with opened(f"{postgres_url}?search_path=ours") as ours:
        assert await ours.write(put("a", "1")) == "a"


async def test_a_server_that_is_too_old_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.storage.postgres_opening._OLDEST", 99)
    assert "the bridge needs 99 or newer" in await refused(postgres_url)


async def test_a_standby_is_refused(postgres_url: str) -> None:
    primary = Cluster.made()
    standby = primary.standby_of(synchronous=False)
    try:
        said = await refused(standby.dsn())
        assert "is a standby and takes no writes" in said
        both = f"postgresql://{ROLE}@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/postgres"
        async with opened(both) as database:
            assert await database.write(put("a", "1")) == "a"
    finally:
        standby.remove()
        primary.remove()


async def test_settings_that_break_the_promise_are_told_of(postgres: Cluster, postgres_url: str) -> None:
    """The suite's cluster runs without fsync; a session may weaken itself further."""
    async with opened(f"{postgres_url}?options=-csynchronous_commit%3Doff") as database:
        named = [warning.split()[0] for warning in database.warnings]
    assert named == ["fsync", "full_page_writes", "synchronous_commit"]


async def test_a_durable_server_is_not_warned_of() -> None:
    cluster = Cluster.made(durable=True)
    try:
        async with opened(cluster.dsn()) as database:
            assert database.warnings == ()
            assert database.standbys == ""
    finally:
        cluster.remove()


@pytest.mark.pgbouncer
@pytest.mark.parametrize("size", [1, 10])
async def test_a_pooler_that_gives_each_transaction_another_session_is_refused(
    postgres: Cluster, postgres_url: str, size: int
) -> None:
    with pgbouncer(postgres, "transaction", size) as port:
        said = await refused(postgres_url.replace(f":{postgres.port}/", f":{port}/"))
    assert "pool_mode = transaction" in said
    assert "set pool_mode = session" in said


@pytest.mark.pgbouncer
async def test_a_pooler_of_sessions_is_as_good_as_the_server(postgres: Cluster, postgres_url: str) -> None:
    with pgbouncer(postgres, "session") as port:
        async with opened(postgres_url.replace(f":{postgres.port}/", f":{port}/")) as database:
            assert await database.write(put("a", "1")) == "a"
            assert await fact(database, "a") == "1"
