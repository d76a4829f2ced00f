"""Whatever senders put into texts and numbers, a unit with it is stored, and the audit holds."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from bridge.audit.chain import chain_prefix, entry_hash
from bridge.domain.alert import Status
from bridge.domain.audit import Kind, Record
from bridge.domain.message import Reason
from bridge.storage import alerts, deliveries, incidents, journal, timers
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.making import alert, do, incident, known, look, opened
from tests.contract.storage.units import NOW, chained

HARMLESS = [
    "", " ", "a\tb\nc\r", "'", '"', "\\", "\\u0000", "$1 ? %s {} -- ; DROP TABLE audit", "naïve ☃ 日本 🔥", "\u202e\ufeff\ufffe", "\x01\x1f\x7f",
    "x" * 1_000_000, "🔥" * 250_000,
]  # fmt: skip
HOSTILE = ["\x00", "before\x00after", "lone \ud800 surrogate", "\udc80"]


@pytest.mark.parametrize("text", HARMLESS, ids=lambda text: ascii(text[:12]))
async def test_any_text_is_read_back_as_it_was(database: Database, text: str) -> None:
    firing = alert(
        labels={"a": text, text or "b": "x"}, annotations={"a": text}, extra=text, receiver=text, starts_text=text
    )
    await do(database, opened, "i1", firing)
    await do(database, incidents.enrich, "i1", firing, {"added": text}, {"added": text})
    [found] = await look(database, incidents.members, "i1")
    assert found.alert == firing
    assert found.added_labels == found.added_annotations == {"added": text}
    assert await look(database, incidents.severities, "i1", "a") == [text]

    live = await do(database, deliveries.add, "i1", "chat", "team", Reason.OPENED, text, NOW, NOW)
    claimed = await do(database, deliveries.claim, live.id)
    assert claimed is not None
    assert claimed.note == text
    await do(database, journal.set_fact, "a", text)
    assert await look(database, journal.fact, "a") == text
    timer = await do(database, timers.add, "step", NOW, text)
    stored = await look(database, timers.get, timer)
    assert stored is not None
    assert stored.data == text
    await do(database, incidents.keep_receipt, "i1", "chat", {"a": text}, NOW)
    assert await look(database, incidents.receipt, "i1", "chat") == {"a": text}


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
async def test_maps_keep_what_no_database_takes_in_a_replaced_form(database: Database, text: str) -> None:
    firing = alert(labels={"a": text}, annotations={"a": text})
    await do(database, opened, "i1", firing)
    await do(database, incidents.enrich, "i1", firing, {"added": text}, {})
    [found] = await look(database, incidents.members, "i1")
    assert len(found.alert.labels["a"]) == len(text)
    assert found.added_labels["added"] == found.alert.labels["a"] == found.alert.annotations["a"]
    assert "\x00" not in found.alert.labels["a"]
    assert await look(database, incidents.severities, "i1", "a") == [found.alert.labels["a"]]


@pytest.mark.parametrize("text", [*HARMLESS, *HOSTILE], ids=lambda text: ascii(text[:12]))
async def test_a_record_with_any_text_is_stored_as_it_is_hashed(database: Database, text: str) -> None:
    chain = chained(database)

    async def record(tx: Tx) -> None:
        tx.record(Record(NOW, Kind.RECEIVED, text, text, text[:100], text[:100], text, 1, text, text, text))

    await do(database, record)

    async def row(tx: Tx) -> tuple[object, ...]:
        [found] = await tx.all("audit_since", 0, "", "", "", "", 10)
        return tuple(found)

    (
        seq,
        name,
        at,
        kind,
        actor,
        source,
        of,
        delivery,
        channel,
        attempt,
        reason,
        digest,
        detail,
        hashed,
    ) = await database.read(row)
    cells = [str(cell).encode() for cell in (kind, actor, source, of, delivery, channel, reason, digest, detail)]
    assert entry_hash(chain_prefix(str(name).encode()), bytes(32), seq, at, attempt, cells).hex().upper() == hashed
    assert chain.head.hash.hex().upper() == hashed


async def test_one_text_that_cannot_be_stored_takes_no_other_unit_with_it(database: Database) -> None:
    """Surrogates in a text of its own: SQLite's driver refuses them, and only the unit that has them may fail."""

    async def write(text: str) -> object:
        try:
            return await do(database, journal.set_fact, text.encode("ascii", "replace").decode(), text)
        except UnicodeEncodeError as error:
            return error

    await asyncio.gather(*(write(text) for text in ["a", "lone \ud800", "b"]))
    assert await look(database, journal.fact, "a") == "a"
    assert await look(database, journal.fact, "b") == "b"


@pytest.mark.parametrize(
    "at", [(1, 1, 1), (1969, 12, 31, 23, 59, 59, 999_999), (1970, 1, 1), (9999, 12, 31, 23, 59, 59, 999_999)]
)
async def test_any_moment_is_read_back_to_the_microsecond(database: Database, at: tuple[int, ...]) -> None:
    at = datetime(*at, tzinfo=UTC)
    firing = alert(status=Status.RESOLVED, starts_at=at, ends_at=at)
    found = await do(database, known, firing)
    assert (found.episode.starts_at, found.episode.ends_at) == (at, at)
    await do(database, incidents.add, incident(opened_at=at))
    stored = await look(database, incidents.get, "i1")
    assert stored is not None
    assert stored.opened_at == at
    timer = await do(database, timers.add, "step", at, "")
    assert [due.id for due in await look(database, timers.due, at, 1)] == [timer]


@pytest.mark.parametrize("number", [0, -1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, -(2**63)])
async def test_any_number_of_64_bits_is_read_back(database: Database, number: int) -> None:
    kept = replace(incident(), truncated=number, firing=number, version=number)
    await do(database, incidents.add, kept)
    assert await look(database, incidents.get, "i1") == kept
    known_alert = await do(database, known, alert(), number)
    assert known_alert.episode.number == number
    again = await look(database, alerts.known, alert().key)
    assert again == known_alert


async def test_a_number_beyond_64_bits_fails_its_unit_alone(database: Database) -> None:
    with pytest.raises((OverflowError, ValueError)):
        await do(database, incidents.add, replace(incident(), truncated=2**63))
    await do(database, incidents.add, incident())
    assert await look(database, incidents.get, "i1") is not None
