"""What the bridge asks of its rows when it looks at itself, and how they are moved along when the clock jumped."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from msgspec.structs import replace

from bridge.domain.audit import Kind, Record
from bridge.domain.delivery import DeliveryState
from bridge.domain.message import Reason
from bridge.storage import deliveries, incidents, journal, timers, watch
from bridge.storage.database import Database
from bridge.storage.transaction import Tx
from tests.contract.storage.making import incident
from tests.contract.storage.units import NOW, chained

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


async def rows(tx: Tx) -> None:
    """Two channels with deliveries at several minutes, timers, requests."""
    for channel, due in (("pager", 3), ("pager", 2), ("mail", 1), ("mail", -5)):
        at = NOW - due * MINUTE
        await deliveries.add(tx, "", channel, channel, Reason.NOTICE, "", at, at)
    ended = await deliveries.add(tx, "", "mail", "mail", Reason.NOTICE, "", NOW - HOUR, NOW - HOUR)
    await deliveries.stop(tx, ended.id, DeliveryState.SUPERSEDED, "newer_state", NOW)
    for kind, due in (("step", 4), ("step", -1), ("flush", 2)):
        await timers.add(tx, kind, NOW - due * MINUTE, "", incident=f"{kind}{due}")
    await timers.pause_steps(tx, "step-1", NOW)
    await journal.add(tx, "s", NOW - 9 * MINUTE, "d", b"", "g", planned=True)
    await journal.add(tx, "s", NOW - 8 * MINUTE, "d", b"", "g", planned=False)
    await journal.add(tx, "s", NOW - 7 * MINUTE, "d", b"", "g", planned=False)


async def test_the_oldest_of_everything_that_is_due(database: Database) -> None:
    await database.write(rows)
    oldest = await database.read(lambda tx: watch.oldest(tx, NOW))
    assert oldest.deliveries == {"pager": NOW - 3 * MINUTE, "mail": NOW - MINUTE}
    assert oldest.timers == {"step": NOW - 4 * MINUTE, "flush": NOW - 2 * MINUTE}
    assert oldest.request == NOW - 8 * MINUTE


async def test_an_empty_database_has_nothing_due(database: Database) -> None:
    oldest = await database.read(lambda tx: watch.oldest(tx, NOW))
    assert oldest == watch.Oldest({}, {}, None)
    assert await database.read(watch.last_known) is None


async def test_what_a_channel_had_due_by_then_oldest_first(database: Database) -> None:
    await database.write(rows)
    found = await database.read(lambda tx: watch.due_before(tx, "pager", NOW, 10))
    assert [live.due_at for live in found] == [NOW - 3 * MINUTE, NOW - 2 * MINUTE]
    assert len(await database.read(lambda tx: watch.due_before(tx, "pager", NOW, 1))) == 1
    assert await database.read(lambda tx: watch.due_before(tx, "pager", NOW - HOUR, 10)) == []


@pytest.mark.parametrize("jump", [HOUR, -HOUR, timedelta(days=365), -timedelta(days=365)])
async def test_a_shift_keeps_what_is_left_of_every_wait(database: Database, jump: timedelta) -> None:
    await database.write(rows)
    before = await database.read(lambda tx: watch.oldest(tx, NOW))
    moved = await database.write(lambda tx: watch.shift(tx, jump, NOW - HOUR))
    after = await database.read(lambda tx: watch.oldest(tx, NOW + jump))
    assert moved == watch.Moved(deliveries=4, timers=2)
    assert after.deliveries == {name: due + jump for name, due in before.deliveries.items()}
    assert after.timers == {kind: due + jump for kind, due in before.timers.items()}
    assert after.request == NOW - 8 * MINUTE + jump


async def test_a_shift_moves_the_age_of_what_waits_and_leaves_what_ended(database: Database) -> None:
    await database.write(rows)
    await database.write(lambda tx: watch.shift(tx, HOUR, NOW - HOUR))

    async def created(tx: Tx) -> list[datetime]:
        stored = [await deliveries.get(tx, row.id) for row in await deliveries.live(tx, 0, 10)]
        return [row.created_at for row in stored if row is not None]

    assert min(await database.read(created)) == NOW - 3 * MINUTE + HOUR
    assert await database.read(lambda tx: watch.due_before(tx, "mail", NOW - MINUTE, 10)) == []


async def test_a_shift_moves_every_hour_of_an_incident_that_goes_on(database: Database) -> None:
    quiet = replace(
        incident(state="snoozed"), told_at=NOW, acknowledged_at=NOW, acknowledged_by="alice", flushed_at=NOW,
        snoozed_until=NOW + MINUTE,
    )  # fmt: skip
    await database.write(lambda tx: incidents.add(tx, quiet))
    await database.write(lambda tx: watch.shift(tx, HOUR, NOW - HOUR))
    later = NOW + HOUR
    assert await database.read(lambda tx: incidents.get(tx, "i1")) == replace(
        quiet, opened_at=later, updated_at=later, told_at=later, acknowledged_at=later, flushed_at=later,
        snoozed_until=later + MINUTE,
    )  # fmt: skip


async def test_the_last_record_tells_what_time_it_was(database: Database) -> None:
    chained(database)

    async def unit(tx: Tx) -> None:
        for seconds in (5, 3):
            tx.record(Record(NOW + timedelta(seconds=seconds), Kind.RECEIVED))

    await database.write(unit)
    assert await database.read(watch.last_known) == NOW + timedelta(seconds=3)


async def test_the_database_has_a_clock(database: Database) -> None:
    first, second = await database.read(watch.database_now), await database.read(watch.database_now)
    assert first is not None
    assert second is not None
    assert timedelta() <= second - first < MINUTE
