"""What retention takes and what it leaves: ended incidents go with all that hangs on them, nothing else does."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from bridge.audit.findings import Report
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.channels.api import Context, Message, Receipt
from bridge.domain.errors import FailureReason, Retryable
from bridge.engine import outbox
from bridge.engine.retention import Retention
from bridge.secrets.instance import InstanceKeys
from bridge.storage import silences
from bridge.storage.postgres_address import Address, parse_address
from bridge.storage.silences import StoredSilence
from tests.bridge_bench import START, Bench, engine, firing, resolved
from tests.postgres import Cluster

THIRTY_DAYS = """
storage: {url: "sqlite:bridge.db", retention: 30d}
fallback: desk
channels:
  people: {type: console}
  desk: {type: console}
route: {receiver: people}
"""
TABLES = ("incidents", "incident_alerts", "deliveries", "told", "requests", "alerts", "timers", "audit")


Rows = Sequence[Sequence[str | int]]


class Keeper:
    """An engine with retention; `days` passes the time, and prunes as the sweeper would, day by day."""

    def __init__(self, bench: Bench, folder: Path, where: Path | Address, query: Callable[[str], Rows]) -> None:
        """`query` runs a statement that no bridge would."""
        self.bench = bench
        self.where = where
        self.query = query
        self.keys = InstanceKeys.load(folder / "bridge.db.keys")
        self.retention = Retention(
            bench.transactions, self.keys, shared=bench.database.shared, monotonic=lambda: self.seconds
        )

    @property
    def seconds(self) -> float:
        return (self.bench.clock.now() - START).total_seconds()

    async def days(self, number: int) -> None:
        for _day in range(number):
            self.bench.clock.turn(days=1)
            await self.prune()

    async def prune(self) -> None:
        """A round of housekeeping, with the checkpoint that is due."""
        await self.retention.step(self.bench.clock.now())
        assert self.bench.trail is not None
        await self.bench.trail.checkpoint_if_due(self.bench.clock.now())

    async def checkpoint(self) -> None:
        assert self.bench.trail is not None
        await self.bench.trail.checkpoint(self.bench.clock.now())

    async def fire_and_resolve(self, name: str) -> None:
        """An incident from its beginning to its end, told, and signed for."""
        at = self.bench.clock.now()
        await self.bench.post(firing(name, at=at))
        self.bench.clock.turn(minutes=5)
        await self.bench.post(resolved(name, at=at, end=self.bench.clock.now()))
        await self.checkpoint()
        self.bench.clock.turn(minutes=1)

    async def count(self) -> dict[str, int]:
        """How many rows each table has."""
        parts = [f"SELECT {place}, count(*) FROM {table}" for place, table in enumerate(TABLES)]
        rows = await asyncio.to_thread(self.query, " UNION ALL ".join(parts))
        return {TABLES[int(place)]: int(number) for place, number in rows}

    async def verified(self) -> Report:
        report = await asyncio.to_thread(verify, self.where, Trust((), self.keys.verifiers))
        assert report.findings == ()
        return report


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def keep(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Keeper]:
    url = ""
    if request.param == "postgres":
        url = request.getfixturevalue("postgres_url")
    cluster: Cluster | None = request.getfixturevalue("postgres") if url else None
    async with engine(tmp_path, THIRTY_DAYS, url=url) as bench:

        def query(statement: str) -> Rows:
            if cluster is not None:
                return cluster.query(statement, url.rpartition("/")[2])
            with closing(sqlite3.connect(tmp_path / "bridge.db")) as connection, connection:
                connection.execute("PRAGMA wal_autocheckpoint = 0")
                return connection.execute(statement).fetchall()

        yield Keeper(bench, tmp_path, parse_address(url) if url else tmp_path / "bridge.db", query)


async def test_an_ended_incident_goes_with_everything_that_hangs_on_it_after_its_time_and_not_before(
    keep: Keeper,
) -> None:
    await keep.fire_and_resolve("Old")
    await keep.fire_and_resolve("Old too")
    await keep.days(29)
    before = await keep.count()
    assert (before["incidents"], before["incident_alerts"], before["deliveries"]) == (2, 2, 4)
    await keep.fire_and_resolve("New")
    await keep.days(2)
    after = await keep.count()
    assert after == {
        "incidents": 1, "incident_alerts": 1, "deliveries": 2, "told": 1, "requests": 2, "alerts": 1, "timers": 0,
        "audit": after["audit"],
    }  # fmt: skip
    assert after["audit"] < before["audit"]
    await keep.verified()


async def test_nothing_of_an_incident_that_goes_on_is_touched_however_old_it_is(keep: Keeper) -> None:
    await keep.bench.post(firing("Forgotten"))
    await keep.bench.post(firing("Acknowledged"))
    page = await keep.bench.operator.incidents(query='alertname="Acknowledged"')
    await keep.bench.operator.acknowledge(page.incidents[0].id, "alice", keep.bench.clock.now())
    await keep.checkpoint()
    before = await keep.count()
    await keep.fire_and_resolve("Ended")
    await keep.days(400)
    await keep.fire_and_resolve("Newest")
    after = await keep.count()
    for table in ("incidents", "incident_alerts", "deliveries", "told", "alerts"):
        assert after[table] >= before[table]
    await keep.verified()
    at = keep.bench.clock.now()
    keep.bench.sent.clear()
    await keep.bench.post(resolved("Forgotten", end=at), resolved("Acknowledged", end=at))
    assert sorted(keep.bench.told()) == ["people resolved", "people resolved"]


async def test_an_incident_resolved_by_hand_stays_while_its_sender_may_still_say_firing(keep: Keeper) -> None:
    await keep.bench.post(firing("Stubborn"))
    [found] = (await keep.bench.operator.incidents()).incidents
    await keep.bench.operator.resolve(found.id, "alice", keep.bench.clock.now())
    await keep.bench.settle()
    await keep.checkpoint()
    await keep.fire_and_resolve("Other")
    await keep.days(60)
    keep.bench.sent.clear()
    await keep.bench.post(firing("Stubborn"))
    assert keep.bench.told() == ["people opened"]


async def test_a_delivery_that_waits_keeps_its_incident(keep: Keeper) -> None:
    def fails(message: Message, context: Context) -> Receipt | None:
        raise Retryable(FailureReason.NETWORK)

    at = keep.bench.clock.now()
    await keep.bench.post(firing("Told late", at=at))
    keep.bench.answers["people"] += [fails]
    await keep.bench.post(resolved("Told late", at=at, end=keep.bench.clock.turn(minutes=1)))
    await keep.checkpoint()
    word = partial(outbox.notice, text="the newest delivery")
    await keep.bench.transactions.write(keep.bench.clock.now(), word)
    await keep.checkpoint()
    keep.bench.clock.turn(days=35)
    await keep.prune()
    keep.bench.clock.turn(hours=1)
    await keep.prune()
    assert (await keep.count())["incidents"] == 1
    keep.bench.sent.clear()
    await keep.bench.settle()
    assert sorted(keep.bench.told()) == ["desk notice", "people resolved"]
    await keep.verified()


async def test_an_alert_in_a_kept_incident_and_one_that_fires_are_remembered(keep: Keeper) -> None:
    at = keep.bench.clock.now()
    both = (firing("Pair", at=at, instance="a"), firing("Pair", at=at, instance="b"))
    await keep.bench.post(*both)
    end = keep.bench.clock.turn(minutes=1)
    await keep.bench.post(resolved("Pair", at=at, end=end, instance="a"))
    await keep.fire_and_resolve("Other")
    await keep.fire_and_resolve("Last")
    await keep.days(60)
    assert (await keep.count())["alerts"] == 3
    keep.bench.sent.clear()
    await keep.bench.post(firing("Pair", at=at, instance="a"))
    assert keep.bench.told() == []  # it is known that this firing is older than its end


async def test_ids_grow_for_ever_because_idempotency_keys_are_made_of_them(keep: Keeper) -> None:
    keys: list[str] = []

    def note(message: Message, context: Context) -> Receipt | None:
        keys.append(context.idempotency_key)
        return None

    keep.bench.answers["people"] += [note] * 100
    for number in range(4):
        await keep.fire_and_resolve(f"Round {number}")
        await keep.days(70)
        assert (await keep.count())["deliveries"] <= 2
    assert len(keys) == len(set(keys)) == 8
    await keep.verified()


async def test_notices_go_when_no_record_of_them_is_left(keep: Keeper) -> None:
    word = partial(outbox.notice, text="a word from the bridge")
    await keep.bench.transactions.write(keep.bench.clock.now(), word)
    await keep.bench.settle()
    assert keep.bench.told() == ["desk notice"]
    await keep.checkpoint()
    await keep.fire_and_resolve("Other")
    await keep.days(29)
    assert (await keep.count())["deliveries"] == 3
    await keep.fire_and_resolve("Newest")
    await keep.days(3)
    assert (await keep.count())["deliveries"] == 2
    await keep.verified()


async def test_a_notice_stays_while_a_record_of_it_is_left(keep: Keeper) -> None:
    word = partial(outbox.notice, text="a word from the bridge")
    await keep.bench.transactions.write(keep.bench.clock.now(), word)
    await keep.bench.settle()
    keep.bench.clock.turn(days=10)
    await keep.fire_and_resolve("The next checkpoint came late")
    await keep.fire_and_resolve("Newest")
    keep.bench.clock.turn(days=25)
    await keep.prune()
    keep.bench.clock.turn(hours=1)
    await keep.prune()
    assert (await keep.count())["deliveries"] == 5
    await keep.verified()


async def test_a_request_that_waits_for_its_plan_stays(keep: Keeper) -> None:
    for name in ("first", "waits", "third", "newest"):
        await keep.fire_and_resolve(name)
    await asyncio.to_thread(
        keep.query,
        "UPDATE requests SET state = 'pending' WHERE id = (SELECT id FROM requests ORDER BY id LIMIT 1 OFFSET 2)",
    )
    await keep.days(60)
    assert (await keep.count())["requests"] == 2  # and the newest


async def test_where_nothing_happens_nothing_is_written(keep: Keeper) -> None:
    await keep.fire_and_resolve("Old")
    await keep.fire_and_resolve("Newest")
    await keep.days(100)
    before = await keep.count()
    await keep.days(29)
    assert await keep.count() == before
    await keep.verified()


async def test_a_clock_that_jumps_a_year_ahead_for_a_while_costs_nothing(keep: Keeper) -> None:
    drift = timedelta()
    keep.retention = Retention(
        keep.bench.transactions, keep.keys, monotonic=lambda: keep.seconds - drift.total_seconds()
    )
    for name in ("one", "two", "three"):
        await keep.fire_and_resolve(name)
    await keep.prune()
    keep.bench.clock.turn(hours=2)
    await keep.prune()
    before = await keep.count()
    drift = timedelta(days=365)
    keep.bench.clock.turn(days=365)
    for _minute in range(50):
        await keep.prune()
        keep.bench.clock.turn(minutes=1)
    drift = timedelta()
    keep.bench.clock.turn(days=-365)
    await keep.prune()
    assert (await keep.count())["incidents"] == before["incidents"]
    assert (await keep.count())["requests"] == before["requests"]


async def test_an_audit_that_was_tampered_with_is_not_pruned_and_somebody_is_told_once(keep: Keeper) -> None:
    for name in ("one", "two", "three"):
        await keep.fire_and_resolve(name)
    await asyncio.to_thread(keep.query, "DELETE FROM audit WHERE seq = 3")
    keep.bench.sent.clear()
    before = await keep.count()
    await keep.days(60)
    await keep.bench.settle()
    after = await keep.count()
    assert after["incidents"] == before["incidents"]
    assert after["audit"] >= before["audit"]
    [notice] = keep.bench.sent
    assert "the audit log is not pruned: records are missing" in notice.alerts[0].annotations["summary"]


async def test_every_transaction_is_small_and_the_log_verifies_after_each(keep: Keeper) -> None:
    at = keep.bench.clock.now()
    await keep.bench.post(*(firing("Many", at=at, instance=str(number)) for number in range(2500)))
    end = keep.bench.clock.turn(minutes=5)
    await keep.bench.post(*(resolved("Many", at=at, end=end, instance=str(number)) for number in range(2500)))
    await keep.checkpoint()
    for number in range(10):
        await keep.fire_and_resolve(f"Other {number}")
    keep.bench.clock.turn(days=31)
    keep.retention = Retention(
        keep.bench.transactions, keep.keys, shared=keep.bench.database.shared, monotonic=lambda: keep.seconds, budget=0
    )
    await keep.prune()
    keep.bench.clock.turn(hours=1)
    largest = steps = 0
    before = await keep.count()
    while steps == 0 or keep.retention.at_work:
        await keep.retention.step(keep.bench.clock.now())
        after = await keep.count()
        largest = max(largest, *(before[table] - after[table] for table in after))
        before = after
        steps += 1
        await keep.verified()
    assert steps > 20
    assert largest <= 1000
    assert after["incidents"] == 1


async def test_a_silence_is_kept_for_five_days_after_its_end_whatever_the_retention(keep: Keeper) -> None:
    for name, ends_in in (("gone", 0), ("young", 2), ("lasting", 365)):
        ends_at = keep.bench.clock.now() + timedelta(days=ends_in)
        silence = StoredSilence(name, (("a", "=", "b"),), START, ends_at, START, "alice", "why", {})
        await keep.bench.database.write(partial(silences.put, silence=silence))
    await keep.days(4)
    assert [found.id for found in await keep.bench.database.read(silences.every)] == ["gone", "lasting", "young"]
    await keep.days(2)
    assert [found.id for found in await keep.bench.database.read(silences.every)] == ["lasting", "young"]


async def test_what_people_said_goes_with_its_incident_and_stays_while_that_goes_on(keep: Keeper) -> None:
    operator, clock = keep.bench.operator, keep.bench.clock
    for name in ("Stays", "Goes"):
        await keep.bench.post(firing(name, at=clock.turn(seconds=1)))
        incident = (await operator.incidents(limit=1)).incidents[0].id
        await operator.comment(incident, f"about {name}", "alice", clock.now())
        await operator.add_responder(incident, "people", "alice", clock.now())
    await keep.bench.post(resolved("Goes", end=clock.now()))
    await keep.checkpoint()
    await keep.fire_and_resolve("New")
    await keep.days(40)
    await keep.fire_and_resolve("Newest")

    assert [row[0] for row in keep.query("SELECT text FROM comments")] == ["about Stays"]
    assert len(keep.query("SELECT who FROM responders")) == 1
    await keep.verified()
