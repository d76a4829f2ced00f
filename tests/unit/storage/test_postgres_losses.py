"""What becomes of a unit when the connection, the server or its standby goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import groupby

import pytest

from bridge.domain.errors import StorageBusy
from bridge.storage import alerts, postgres, postgres_group, postgres_link
from bridge.storage.database import Database
from bridge.storage.postgres_link import _SESSION
from bridge.storage.postgres_transaction import Step
from bridge.storage.transaction import Tx
from tests.contract.storage.units import chained, details, fact, put, together
from tests.postgres import Cluster
from tests.tcp_proxy import Link
from tests.unit.storage.losing import at_commit, behind_a_proxy, cut, hasten, insist, opened


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """One of the test's own, to be stopped and killed."""
    made = Cluster.made()
    yield made
    made.remove()


async def chains(database: Database) -> list[tuple[str, list[int]]]:
    """The chains in their order, each with its sequence numbers."""

    async def unit(tx: Tx) -> list[tuple[int, str]]:
        return [(row[0], row[1]) for row in await tx.all("audit_since", 0, "", "", "", "", 100_000)]

    rows = await database.read(unit)
    assert [seq for seq, _chain in rows] == list(range(1, len(rows) + 1))
    return [(chain, [seq for seq, _ in of]) for chain, of in groupby(rows, key=lambda row: row[1])]


async def test_a_commit_that_never_arrived_is_found_out_and_refused(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy):
        chained(database)
        await database.write(put("a", "1", record=True))
        proxy.watch = at_commit(cut, answered=False)
        with pytest.raises(StorageBusy, match="nothing was stored"):
            await database.write(put("b", "1", record=True))
        await insist(lambda: database.write(put("c", "1", record=True)))
        assert await details(database) == ["a", *(await details(database))[1:2], "c"]
        assert await fact(database, "b") is None
        assert [seqs for _chain, seqs in await chains(database)] == [[1], [2, 3]]


async def test_a_commit_whose_answer_was_lost_is_found_in_the_database(postgres_url: str) -> None:
    told: list[str] = []
    async with behind_a_proxy(postgres_url) as (database, proxy):
        chained(database)
        proxy.watch = at_commit(cut, answered=True)
        results = await together(*(database.write(put(f"n{n}", "1", record=True), told.append) for n in range(5)))
        assert results == told == [f"n{n}" for n in range(5)]
        await insist(lambda: database.write(put("c", "1", record=True)))
        assert [seqs for _chain, seqs in await chains(database)] == [[1, 2, 3, 4, 5], [6, 7]]


async def test_a_commit_without_records_whose_answer_was_lost_is_found_too(postgres_url: str) -> None:
    async with behind_a_proxy(postgres_url) as (database, proxy):
        proxy.watch = at_commit(cut, answered=True)
        assert await database.write(put("a", "1")) == "a"


async def test_a_commit_that_nobody_can_look_up_is_unknown(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hasten(monkeypatch)
    async with behind_a_proxy(postgres_url) as (database, proxy), opened(postgres_url) as beside:
        chained(database)

        def cut_off(link: Link) -> None:
            proxy.refuse = True
            link.reset()

        proxy.watch = at_commit(cut_off, answered=True)
        with pytest.raises(StorageBusy, match="unknown whether it was stored"):
            await database.write(put("a", "1", record=True))
        assert await fact(beside, "a") == "1"
        proxy.refuse = False
        await insist(lambda: database.write(put("b", "1", record=True)))
        assert [seqs for _chain, seqs in await chains(database)] == [[1], [2, 3]]


async def test_a_commit_that_is_never_answered_is_looked_up_after_its_deadline(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    async with behind_a_proxy(postgres_url) as (database, proxy):
        chained(database)
        proxy.watch = at_commit(lambda _link: None, answered=True)
        assert await database.write(put("a", "1", record=True)) == "a"
        assert await details(database) == ["a"]


async def test_a_connection_that_went_silent_is_given_up_and_made_anew(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover without a RST: the socket looks open, and nobody is there."""
    hasten(monkeypatch)
    async with behind_a_proxy(postgres_url) as (database, proxy):
        await database.write(put("a", "1"))
        await fact(database, "a")
        proxy.blackhole()
        with pytest.raises(StorageBusy, match="did not answer"):
            await database.write(put("b", "1"))
        with pytest.raises(StorageBusy):
            await fact(database, "a")
        proxy.resume()
        await insist(lambda: database.write(put("c", "1")))
        assert await fact(database, "b") is None
        assert await fact(database, "c") == "1"


async def test_while_there_is_no_connection_nobody_waits(cluster: Cluster) -> None:
    async with opened(cluster.dsn(cluster.create())) as database:
        await database.write(put("a", "1"))
        await asyncio.to_thread(cluster.stop)
        results = await together(*(database.write(put("b", "1")) for _ in range(20)))
        assert all(isinstance(result, StorageBusy) for result in results)
        with pytest.raises(StorageBusy, match="no connection"):
            await database.write(put("b", "1"))
        await asyncio.to_thread(cluster.start)
        await insist(lambda: database.write(put("c", "1")))
        assert await fact(database, "a") == "1"


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_a_server_that_restarts_again_and_again_loses_nothing_that_was_committed(
    cluster: Cluster, mode: str
) -> None:
    async with opened(cluster.dsn(cluster.create())) as database:
        chained(database)
        accepted: list[str] = []
        done, more = asyncio.Event(), asyncio.Event()

        async def writer(number: int) -> None:
            turn = 0
            while not done.is_set():
                turn += 1
                try:
                    accepted.append(await database.write(put(f"n{number}-{turn}", "1", record=True)))
                    more.set()
                except StorageBusy:
                    await asyncio.sleep(0.02)

        writers = [asyncio.create_task(writer(number)) for number in range(10)]
        for _round in range(4):
            for _accepted in range(5):
                more.clear()
                await more.wait()
            await asyncio.to_thread(cluster.restart, mode)
        done.set()
        await asyncio.gather(*writers)
        await insist(lambda: database.write(put("last", "1", record=True)))

        stored = await details(database)
        assert set(accepted) <= set(stored)
        assert len(stored) == len(set(stored))
        assert await chains(database)


async def test_a_session_that_is_ended_in_mid_transaction_leaves_nothing_behind(
    cluster: Cluster,
) -> None:
    async with opened(cluster.dsn(cluster.create())) as database:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def unit(tx: Tx) -> None:
            await tx.run("meta_set", "a", "1")
            await tx.one("meta_get", "a")
            begun.set()
            await Step(ended.wait)
            await tx.one("meta_get", "a")

        writing = asyncio.create_task(database.write(unit))
        await begun.wait()
        await asyncio.to_thread(
            cluster.query, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        )
        ended.set()
        with pytest.raises(StorageBusy):
            await writing
        await insist(lambda: database.write(put("b", "1")))
        assert await fact(database, "a") is None


async def test_what_announces_many_looks_has_longer_for_them(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request of twenty thousand alerts is planned in one transaction, on a slow machine, too."""
    monkeypatch.setattr(postgres_link, "_SESSION", (*_SESSION, "SET idle_in_transaction_session_timeout = 200"))
    monkeypatch.setattr(postgres_group, "GROUP", 0.2)

    async def slow(tx: Tx) -> None:
        await tx.one("meta_get", "a")
        await Step(lambda: asyncio.sleep(0.6))
        await tx.run("meta_set", "a", "1")

    async with opened(postgres_url) as database:
        with pytest.raises(StorageBusy):
            await database.write(slow)
        many = [alerts.expected(("s", "", str(number))) for number in range(40_000)]
        await insist(lambda: database.write(slow, expects=many))
        assert await fact(database, "a") == "1"


async def test_a_connection_that_is_being_made_anew_is_let_go_of_with_the_database(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[postgres_link.Link] = []
    begun = asyncio.Event()

    async def hang(link: postgres_link.Link, _address: object) -> None:
        made.append(link)
        begun.set()
        await asyncio.Event().wait()

    async with opened(postgres_url) as database:
        monkeypatch.setattr(postgres, "require_writable", hang)
        assert database._link is not None
        database._link.cut()
        await begun.wait()

    assert [link.closed for link in made] == [True]


async def test_a_commit_that_waits_for_a_standby_that_is_gone_is_unknown_and_not_lost(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it cut short by the session's limit of time: that would end the wait, and answer with success."""
    hasten(monkeypatch)
    monkeypatch.setattr(postgres_link, "_SESSION", (*postgres_link._SESSION, "SET statement_timeout = 100"))
    name = cluster.create()
    standby = await asyncio.to_thread(cluster.standby_of, synchronous=True)
    try:
        async with opened(cluster.dsn(name)) as database:
            chained(database)
            await database.write(put("a", "1", record=True))
            await asyncio.to_thread(standby.pause)
            with pytest.raises(StorageBusy, match=r"did not answer.*unknown whether it was stored"):
                await database.write(put("b", "1", record=True))
            standby.resume()
            await insist(lambda: database.write(put("c", "1", record=True)))
            assert await fact(database, "b") == "1"
            assert [seqs for _chain, seqs in await chains(database)] == [[1, 2], [3, 4]]
    finally:
        standby.remove()


async def test_a_commit_that_stopped_waiting_for_its_standby_is_not_called_kept(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server says COMMIT, with a warning: it is on the primary alone, and a promotion would lose it."""
    name = cluster.create()
    standby = await asyncio.to_thread(cluster.standby_of, synchronous=True)
    try:
        async with opened(cluster.dsn(name)) as database:
            await database.write(put("a", "1"))
            hasten(monkeypatch, 3.0)
            await asyncio.to_thread(standby.pause)
            writing = asyncio.create_task(database.write(put("b", "1")))
            cancelled = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            await asyncio.to_thread(cluster.until, cancelled, "t")
            with pytest.raises(StorageBusy, match=r"canceling wait for synchronous replication.*unknown"):
                await writing
            standby.resume()
            await insist(lambda: database.write(put("c", "1")))
    finally:
        standby.remove()
