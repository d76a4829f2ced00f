"""What happened to incidents is read in pages, the same on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.audit import Kind, Record
from bridge.domain.moment import micros
from bridge.storage import incidents, numbers
from bridge.storage.database import Database
from bridge.storage.numbers import Bounds, Fact
from bridge.storage.transaction import Tx
from tests.contract.storage.making import MINUTE, incident, look
from tests.contract.storage.units import NOW, chained

HOUR = timedelta(hours=1)
EVERYTHING = Bounds(NOW - HOUR, NOW + HOUR, NOW - HOUR)


@pytest.fixture(autouse=True)
def _recording(database: Database) -> None:
    chained(database)


def name(at: datetime, number: int = 0) -> str:
    return f"{micros(at):014x}{number:012x}"


async def keep(database: Database, opened_at: datetime, *records: Record, state: str = "open", number: int = 0) -> str:
    """An incident with these records, each of them about it; gives its id."""
    made = replace(incident(name(opened_at, number), state=state, group=str(number), opened_at=opened_at))

    async def unit(tx: Tx) -> None:
        await incidents.add(tx, made)
        for record in records:
            tx.record(replace(record, incident=made.id))

    await database.write(unit)
    return made.id


async def read(database: Database, bounds: Bounds = EVERYTHING, page: int = 100) -> list[Fact]:
    found: list[Fact] = []
    after = ("", 0)
    while True:
        some = await look(database, numbers.facts, bounds, after, page)
        found += some
        if len(some) < page:
            return found
        after = (some[-1].incident, some[-1].seq)


async def test_facts_come_by_incident_and_in_order_whatever_the_page(database: Database) -> None:
    acts = [Record(NOW + number * MINUTE, Kind.SENT, channel="c", reason="reminder") for number in range(7)]
    for number in range(3):
        await keep(database, NOW, Record(NOW, Kind.OPENED, reason="route"), *acts, number=number)
    whole = await read(database)
    assert [(one.incident, one.kind.value) for one in whole] == [
        (name(NOW, number), kind) for number in range(3) for kind in ("opened", *["sent"] * 7)
    ]
    assert whole[1] == replace(
        whole[0], seq=whole[1].seq, kind=Kind.SENT, channel="c", reason="reminder", actor="bridge", at=NOW
    )
    for page in (1, 2, 3, 8):
        assert await read(database, page=page) == whole


async def test_only_what_counts_is_read(database: Database) -> None:
    counts = (
        Record(NOW, Kind.OPENED), Record(NOW, Kind.SUPPRESSED, reason="silenced"), Record(NOW, Kind.LATE),
        Record(NOW, Kind.SUPPRESSED, reason="ended_untold"), Record(NOW, Kind.ACKNOWLEDGED, "alice"),
        Record(NOW, Kind.SNOOZED), Record(NOW, Kind.RESOLVED), Record(NOW, Kind.REOPENED),
    )  # fmt: skip
    others = (
        Record(NOW, Kind.SUPPRESSED, reason="send_on"), Record(NOW, Kind.RETRY), Record(NOW, Kind.COMMENTED),
        Record(NOW - 2 * HOUR, Kind.OPENED), Record(NOW, Kind.UNACKNOWLEDGED),
    )  # fmt: skip
    await keep(database, NOW, *counts, *others)
    assert [(one.kind, one.actor, one.reason) for one in await read(database)] == [
        (one.kind, one.actor, one.reason) for one in counts
    ]


async def test_incidents_opened_later_or_long_over_are_not_looked_at(database: Database) -> None:
    opened = Record(NOW, Kind.OPENED)
    old = NOW - 2 * HOUR
    kept = [
        await keep(database, old, opened, number=1),
        await keep(database, NOW, opened, number=2),
        await keep(database, NOW, opened, number=3, state="resolved"),
    ]
    await keep(database, old, opened, number=4, state="resolved")
    await keep(database, NOW + HOUR, opened, number=5)
    assert [one.incident for one in await read(database)] == kept
    assert await look(database, numbers.total, EVERYTHING) == len(kept)
