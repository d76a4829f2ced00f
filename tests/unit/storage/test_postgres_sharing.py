"""Several bridges on one PostgreSQL database: one order of units, one numbering, one turn."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.domain.audit import Kind, Record
from bridge.domain.errors import StorageBusy
from bridge.storage import journal, postgres_group, postgres_link, timers
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_faults import Contended
from bridge.storage.postgres_link import Link
from bridge.storage.postgres_transaction import Step
from bridge.storage.transaction import Tx
from tests.contract.storage.units import NOW, chained, details, fact, poison, put, together
from tests.postgres import Cluster
from tests.running_bridge import eventually
from tests.unit.storage.losing import behind_a_proxy, opened

ROOT = Path(__file__).resolve().parents[3]
STANDS_STILL = """
import asyncio, sys
from bridge.domain.errors import StorageBusy
from bridge.storage.postgres import PostgresDatabase
from bridge.storage.postgres_transaction import Step

async def main():
    database = await PostgresDatabase.open(sys.argv[1])
    async def unit(tx):
        await tx.run("meta_set", "zombie", "was here")
        await tx.one("meta_get", "zombie")
        print("holds", flush=True)
        await Step(lambda: asyncio.to_thread(sys.stdin.readline))
        await tx.one("meta_get", "zombie")
    try:
        await database.write(unit)
        print("committed", flush=True)
    except StorageBusy:
        print("busy", flush=True)
    await database.close()

asyncio.run(main())
"""


@pytest.fixture
async def bridges(postgres_url: str) -> AsyncIterator[list[PostgresDatabase]]:
    """Three on one database."""
    databases = [await PostgresDatabase.open(postgres_url) for _ in range(3)]
    yield databases
    for database in databases:
        await database.close()


async def numbered(tx: Tx) -> tuple[int, int]:
    """Read, count and write back what every other writer counts too; and a row of one's own."""
    count = int(await journal.fact(tx, "count") or 0) + 1
    await journal.set_fact(tx, "count", str(count))
    tx.record(Record(NOW, Kind.RECEIVED, detail=str(count)))
    return count, await timers.add(tx, "step", NOW, "")


async def test_twenty_writers_on_three_bridges_take_turns(bridges: list[PostgresDatabase]) -> None:
    chains = [chained(database) for database in bridges]
    rng = random.Random(7)

    async def writer() -> list[tuple[int, int]]:
        return [await rng.choice(bridges).write(numbered) for _ in range(15)]

    done = [result for results in await asyncio.gather(*(writer() for _ in range(20))) for result in results]

    assert sorted(count for count, _row in done) == list(range(1, 301))
    by_count = sorted(done)
    assert [row for _count, row in by_count] == sorted(row for _count, row in done)
    assert await details(bridges[0]) == [str(count) for count in range(1, 301)]
    assert sum(chain.length for chain in chains) == 300


async def test_units_that_fail_on_one_bridge_disturb_no_other(bridges: list[PostgresDatabase]) -> None:
    for database in bridges:
        chained(database)
    units = [poison("bad") if n % 5 == 0 else put(f"n{n}", "1", record=True) for n in range(60)]
    results = await together(*(bridges[n % 3].write(unit) for n, unit in enumerate(units)))
    failed = [n for n, result in enumerate(results) if isinstance(result, Exception)]
    assert failed == list(range(0, 60, 5))
    assert len(await details(bridges[1])) == 48


async def test_a_bridge_that_is_stopped_in_its_turn_loses_it(postgres_url: str) -> None:
    """SIGSTOP: the process is there, and does nothing. The server ends its transaction, and the others go on."""
    async with opened(postgres_url) as database:
        command = [sys.executable, "-c", STANDS_STILL, postgres_url]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as zombie:  # noqa: ASYNC220 - it is quick
            assert zombie.stdout is not None
            assert await asyncio.to_thread(zombie.stdout.readline) == b"holds\n"
            os.kill(zombie.pid, signal.SIGSTOP)
            try:
                assert await database.write(put("a", "1")) == "a"
            finally:
                os.kill(zombie.pid, signal.SIGCONT)
            said, _errors = await asyncio.to_thread(zombie.communicate, b"\n")
        assert said.splitlines()[-1] == b"busy"
        assert await fact(database, "zombie") is None


async def test_who_waits_too_long_for_the_turn_is_told_that_it_is_not_now(
    bridges: list[PostgresDatabase], postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so are those behind it: they would not fare better."""
    monkeypatch.setattr(postgres_link, "_SESSION", (*postgres_link._SESSION, "SET lock_timeout = 200"))
    begun, done = asyncio.Event(), asyncio.Event()

    async def stand(tx: Tx) -> None:
        begun.set()
        while not done.is_set():
            await tx.one("meta_get", "a")
            await Step(lambda: asyncio.sleep(0.01))

    waits: list[postgres_group.Group] = []
    once = postgres_group.Group._once

    async def counted(group: postgres_group.Group, *values: object, **named: object) -> object:
        waits.append(group)
        return await once(group, *values, **named)

    async with opened(postgres_url) as database:
        holding = asyncio.create_task(bridges[0].write(stand))
        await begun.wait()
        monkeypatch.setattr(postgres_group.Group, "_once", counted)
        results = await together(*(database.write(put(f"n{n}", "1")) for n in range(600)))
        assert {type(result) for result in results} == {StorageBusy}
        assert "lock timeout" in str(results[599])
        assert len(waits) == 1
        done.set()
        await holding
        assert await database.write(put("a", "1")) == "a"


async def test_who_gave_up_while_his_group_waited_for_the_turn_has_nothing_stored(
    bridges: list[PostgresDatabase], postgres: Cluster, postgres_url: str
) -> None:
    """His sender was told to try again, and must not be taken for a repeat then."""
    begun, done = asyncio.Event(), asyncio.Event()

    async def stand(tx: Tx) -> None:
        del tx
        begun.set()
        await Step(done.wait)

    holding = asyncio.create_task(bridges[0].write(stand))
    await begun.wait()
    waiting = asyncio.create_task(bridges[1].write(put("a", "1")))
    locked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    await asyncio.to_thread(postgres.until, locked, "1", postgres_url.rpartition("/")[2])
    waiting.cancel()
    await together(waiting)
    done.set()
    await holding
    await bridges[1].write(put("b", "1"))
    assert await fact(bridges[1], "a") is None


async def test_a_group_that_met_another_in_the_dark_is_run_again(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deadlocks and serialisation failures: what a cluster of servers answers now and then."""
    async with opened(postgres_url) as database:
        chained(database)
        script, met = Link.script, []

        async def contended(link: Link, text: str) -> str:
            if "COMMIT" in text and "UPDATE turn" in text and len(met) < 2:
                met.append(text)
                await script(link, "ROLLBACK")
                raise Contended("could not serialize access")
            return await script(link, text)

        monkeypatch.setattr(Link, "script", contended)
        assert await together(*(database.write(put(f"n{n}", "1", record=True)) for n in range(3))) == ["n0", "n1", "n2"]
        assert len(met) == 2
        assert await details(database) == ["n0", "n1", "n2"]


async def test_a_hint_reaches_the_others_and_not_oneself(bridges: list[PostgresDatabase]) -> None:
    heard: list[int] = []
    arrived = [asyncio.Event() for _ in bridges]

    def listener(number: int) -> None:
        heard.append(number)
        arrived[number].set()

    for number, database in enumerate(bridges):
        database.listen(lambda number=number: listener(number))
        await arrived[number].wait()  # a new connection is a hint: one may have been missed
        arrived[number].clear()
    for database in bridges:
        await eventually(lambda database=database: database._group.hints)
    heard.clear()

    async def hinting(tx: Tx) -> None:
        await journal.set_fact(tx, "a", "1")
        tx.hint()

    await together(*(bridges[0].write(hinting) for _ in range(10)))
    await asyncio.wait_for(asyncio.gather(arrived[1].wait(), arrived[2].wait()), 60)
    assert 0 not in heard
    assert heard.count(1) <= 2  # once a group, not once a unit


async def test_a_server_that_passes_no_notices_on_is_sent_none(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not know NOTIFY would fail the whole group; and a listener that hears nothing listens anew."""
    monkeypatch.setattr("bridge.storage.postgres_listener._ECHO_WITHIN", 0.2)

    async def deaf(_link: Link, _channel: str, _heard: object) -> None:
        return

    monkeypatch.setattr(Link, "listen", deaf)
    tried: list[None] = []
    again = asyncio.Event()

    def hinted() -> None:
        tried.append(None)
        if len(tried) > 1:
            again.set()

    script, sent = Link.script, []

    async def spied(link: Link, text: str) -> str:
        sent.append(text)
        return await script(link, text)

    monkeypatch.setattr(Link, "script", spied)

    async def hinting(tx: Tx) -> None:
        await journal.set_fact(tx, "a", "1")
        tx.hint()

    async with opened(postgres_url) as database:
        database.listen(hinted)
        await asyncio.wait_for(again.wait(), 60)
        await database.write(hinting)
    assert [text for text in sent if "NOTIFY" in text] == []


async def test_a_listener_that_hears_nothing_any_more_listens_anew(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bridge.storage.postgres_listener._PING_EVERY", 0.1)
    monkeypatch.setattr("bridge.storage.postgres_listener._ECHO_WITHIN", 0.3)
    async with behind_a_proxy(postgres_url) as (database, proxy):
        heard = asyncio.Event()
        database.listen(heard.set)
        await asyncio.wait_for(heard.wait(), 60)
        listening = proxy.links[-1]
        heard.clear()
        listening.blackhole()
        await asyncio.wait_for(heard.wait(), 60)
        assert listening.silent
