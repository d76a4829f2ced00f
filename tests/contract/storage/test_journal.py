"""The journal of requests, the bridge's own facts, and the configuration it falls back to."""

from __future__ import annotations

from bridge.domain.audit import Kind, Record
from bridge.storage import journal
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.making import do, look
from tests.contract.storage.units import NOW, chained


async def kept(tx: Tx, body: bytes, *, planned: bool = False, partition: int = 0) -> int:
    return await journal.add(tx, "prometheus", NOW, "digest", body, "g1", planned=planned, partition=partition)


async def test_requests_wait_in_their_order_until_they_are_planned(database: Database) -> None:
    first = await do(database, kept, b"1")
    await do(database, kept, b"at once", planned=True)
    second = await do(database, kept, bytes(range(256)))
    pending = await look(database, journal.pending, 0, 10)
    assert [(request.id, request.body) for request in pending] == [(first, b"1"), (second, bytes(range(256)))]
    assert (pending[0].source, pending[0].received_at, pending[0].digest, pending[0].attempts) == (
        "prometheus",
        NOW,
        "digest",
        0,
    )
    assert [request.id for request in await look(database, journal.pending, first, 10)] == [second]
    assert await look(database, journal.pending_count) == 2
    assert await do(database, journal.planned, first)
    assert not await do(database, journal.planned, first)
    assert await look(database, journal.pending_count) == 1


async def test_a_request_that_cannot_be_planned_is_put_aside_at_the_last_try(database: Database) -> None:
    request = await do(database, kept, b"poison")
    assert [await do(database, journal.failed, request, 3) for _try in range(4)] == [False, False, True, False]
    assert await look(database, journal.pending_count) == 0


async def test_ten_megabytes_are_kept_as_they_are(database: Database) -> None:
    body = bytes(range(256)) * 40_960
    await do(database, kept, body)
    [request] = await look(database, journal.pending, 0, 1)
    assert request.body == body


async def test_facts_are_overwritten(database: Database) -> None:
    assert await look(database, journal.fact, "a") is None
    await do(database, journal.set_fact, "a", "1")
    await do(database, journal.set_fact, "a", "2")
    assert await look(database, journal.fact, "a") == "2"


async def test_the_last_good_text_of_each_file_is_kept(database: Database) -> None:
    await do(database, journal.keep_good_files, {"main.yml": "old", "team.yml": "x"}, NOW)
    await do(database, journal.keep_good_files, {"main.yml": "new"}, NOW)
    await do(database, journal.keep_good_files, {}, NOW)
    assert await look(database, journal.good_files) == {"main.yml": "new", "team.yml": "x"}


async def test_records_are_found_by_their_number_kind_and_incident(database: Database) -> None:
    chained(database)

    async def record(tx: Tx) -> None:
        for number in range(6):
            kind = Kind.SENT if number % 2 else Kind.RECEIVED
            tx.record(Record(NOW, kind, incident=f"i{number % 3}", delivery=str(number), detail=str(number)))

    await do(database, record)

    async def found(after: int, kind: str, incident: str, limit: int = 10) -> list[str]:
        async def unit(tx: Tx) -> list[str]:
            return [row[12] for row in await tx.all("audit_since", after, kind, kind, incident, incident, limit)]

        return await database.read(unit)

    assert await found(0, "", "") == list("012345")
    assert await found(4, "", "") == list("45")
    assert await found(0, "sent", "") == list("135")
    assert await found(0, "", "i1") == list("14")
    assert await found(0, "sent", "i1") == ["1"]
    assert await found(0, "", "", 2) == ["0", "1"]

    async def heads(tx: Tx) -> tuple[object, ...]:
        last, since = await tx.one("audit_last"), await tx.all("audit_heads_since", 3)
        of = await tx.all("audit_of_incident", "i2", 10)
        stored = await tx.one("audit_hash", 6)
        assert last is not None
        assert stored is not None
        assert tuple(stored) == tuple(last)
        return last[0], [row[0] for row in since], [row[8] for row in of]

    assert await database.read(heads) == (6, [6], ["2", "5"])


async def test_checkpoints_are_numbered_on(database: Database) -> None:
    async def add(tx: Tx, note: str) -> None:
        await tx.run("checkpoint_add", 0, note)

    for note in ("first", "second"):
        await do(database, add, note)

    async def last(tx: Tx) -> str:
        row = await tx.one("checkpoint_last")
        return str(row[0]) if row else ""

    assert await database.read(last) == "second"
