"""A backup of either database can be restored to either: whoever outgrows a file moves to a server, and back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.app.backup import BackedUp, back_up
from bridge.app.restore import NotSound, RestoredCopy, restore
from bridge.audit.findings import Report
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.domain.errors import SecretError, StorageError
from bridge.engine.retention import Retention
from bridge.secrets.instance import InstanceKeys
from bridge.storage.postgres_address import Address, parse_address
from bridge.storage.tables import tables
from tests.bridge_bench import Bench, Dial, engine, firing, resolved
from tests.postgres import Cluster

TEXT = """
storage: {retention: 30d}
channels: {people: {type: console}, pager: {type: console}}
escalations: {night: [{after: 5m, notify: [pager]}]}
route: {receiver: people, hooks: [dedupe, {escalate: night}]}
"""
Rows = dict[str, list[tuple[Any, ...]]]


def ignore(_stage: str, _done: int, _total: int) -> None:
    """Nobody watches."""


async def live(bench: Bench, name: str) -> None:
    """Some business: an incident that ends, one that goes on, one acknowledged; odd texts; a request of some size."""
    at = bench.clock.now()
    await bench.post(firing(f"{name} ends", at=at), firing(f"{name} ends", at=at, instance="b"))
    await bench.post(resolved(f"{name} ends", at=at, end=bench.clock.turn(minutes=1)))
    await bench.post(firing(f"{name} goes on", at=at, note="ü 𝄞 \u2028 'quoted' \"twice\""))
    await bench.post(firing(f"{name} is known", at=at))
    page = await bench.operator.incidents(query=f'alertname="{name} is known"')
    await bench.operator.acknowledge(page.incidents[0].id, "alice", bench.clock.now())
    await bench.settle()
    await bench.accept(firing(f"{name} waits", at=at, body="x" * 100_000))
    assert bench.trail is not None
    await bench.trail.checkpoint(bench.clock.now())


class Places:
    """A file and servers' databases, with the keys of one bridge."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.folder = folder
        self.clock = Dial()
        self._cluster = cluster
        self.made: list[str] = []

    @property
    def keys(self) -> InstanceKeys:
        return InstanceKeys.load(self.folder / "bridge.db.keys")

    def server(self) -> str:
        self.made.append(self._cluster.create())
        return self._cluster.dsn(self.made[-1])

    async def back_up(self, source: Path | Address, name: str) -> BackedUp:
        return await back_up(
            source, self.folder / name, keys=lambda: self.keys, tell=_unheard, by="alice", clock=self.clock,
            replace=False, progress=ignore,
        )  # fmt: skip

    async def restore(self, name: str, where: Path | Address | None, *, moved: bool = True) -> RestoredCopy:
        return await asyncio.to_thread(
            restore, self.folder / name, where, trust=Trust(self.keys.verifiers), moved=moved, clock=self.clock, progress=ignore
        )  # fmt: skip

    async def verified(self, where: Path | Address) -> Report:
        report = await asyncio.to_thread(verify, where, Trust(self.keys.verifiers))
        assert report.findings == ()
        return report

    async def rows(self, where: Path | str) -> Rows:
        """Everything, but what a database knows of itself."""
        named = [table for table in tables() if table.name != "meta"]
        if isinstance(where, Path):
            with closing(sqlite3.connect(where)) as connection:
                return {table.name: connection.execute(table.reading).fetchall() for table in named}
        from bridge.storage.postgres_link import Link

        link = await Link.open(parse_address(where))
        found = {table.name: [tuple(row) for row in await link.all(table.reading)] for table in named}
        await link.close()
        return found


def _unheard(_facts: object) -> None:
    raise AssertionError("a bridge runs")


@pytest.fixture
def places(tmp_path: Path, postgres: Cluster) -> Any:
    made = Places(tmp_path, postgres)
    yield made
    for name in made.made:
        postgres.drop(name)


async def test_a_bridge_moves_from_a_file_to_a_server_and_back_and_nothing_is_different(places: Places) -> None:
    file, url = places.folder / "bridge.db", places.server()
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "At home")
        at_home = await places.rows(file)
    made = await places.back_up(file, "first.db")
    assert made.unrecorded == ""
    await places.restore("first.db", parse_address(url))
    on_the_server = await places.rows(url)
    assert on_the_server == at_home
    await places.verified(parse_address(url))

    async with (
        engine(places.folder, TEXT, places.clock, url) as one,
        engine(places.folder, TEXT, places.clock, url) as two,
    ):
        one.sent.clear()
        places.clock.turn(minutes=5)
        await one.settle()
        assert "pager escalated" in one.told()
        await live(one, "Away")
        places.clock.turn(days=10)
        await live(two, "Away too")
        places.clock.turn(days=10)
        await live(one, "Away again")
        highest = max(row[0] for row in at_home["deliveries"])
        assert all(delivery.id > highest for delivery in await _newest(one, 10))
    on_the_server = await places.rows(url)
    made = await places.back_up(parse_address(url), "second.db")
    assert made.unrecorded == ""
    report = await places.verified(parse_address(url))
    assert report.chains == 4  # the story at home, the two bridges on the server, and the backup's own
    new = places.folder / "new" / "bridge.db"
    await places.restore("second.db", new)
    assert await places.rows(new) == on_the_server
    await places.verified(new)

    (new.parent / "bridge.db.keys").write_bytes((places.folder / "bridge.db.keys").read_bytes())
    (new.parent / "bridge.db.keys").chmod(0o600)
    async with engine(new.parent, TEXT, places.clock) as bench:
        await live(bench, "Home again")
        places.clock.turn(days=15)  # what one of the bridges wrote is pruned in part, beside the other's
        await live(bench, "Later")
        retention = Retention(bench.transactions, places.keys, monotonic=_seconds(places.clock), budget=float("inf"))
        await retention.step(places.clock.now())
        places.clock.turn(minutes=5)
        await retention.step(places.clock.now())
    after = await places.verified(new)
    assert after.records < after.last_seq


async def _newest(bench: Bench, number: int) -> list[Any]:
    from bridge.storage import deliveries
    from bridge.storage.deliveries import Wanted

    return await bench.database.read(lambda tx: deliveries.page(tx, 0, ("sent",), Wanted(), number))


def _seconds(clock: Dial) -> Callable[[], float]:
    return lambda: clock.now().timestamp()


async def test_a_server_that_is_restored_gives_out_ids_far_ahead(places: Places) -> None:
    url, other = places.server(), places.server()
    async with engine(places.folder, TEXT, places.clock, url) as bench:
        await live(bench, "Before")
    await places.back_up(parse_address(url), "copy.db")
    places.clock.turn(hours=1)
    await places.restore("copy.db", parse_address(other), moved=False)
    async with engine(places.folder, TEXT, places.clock, other) as bench:
        assert bench.trail is not None
        assert "restored from a backup of" in bench.trail.restored
        await bench.post(firing("New", at=places.clock.now()))
        assert min(delivery.id for delivery in await _newest(bench, 1)) > 1_000_000_000
    await places.verified(parse_address(other))


async def test_only_an_empty_database_with_nobody_on_it_is_restored_into(places: Places) -> None:
    url = places.server()
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")
    await places.back_up(places.folder / "bridge.db", "copy.db")
    with pytest.raises(StorageError, match=r"bridge\.db is there"):
        await places.restore("copy.db", places.folder / "bridge.db")
    await places.restore("copy.db", parse_address(url))
    with pytest.raises(StorageError, match="is not empty: its table audit has rows"):
        await places.restore("copy.db", parse_address(url))


async def test_a_file_that_is_in_use_is_not_restored_over_though_it_was_deleted(places: Places) -> None:
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")
    await places.back_up(places.folder / "bridge.db", "copy.db")
    other = places.folder / "other"
    other.mkdir()
    async with engine(other, TEXT, places.clock):
        for path in other.glob("bridge.db*"):
            if path.suffix != ".lock":
                path.unlink()
        with pytest.raises(StorageError, match="is locked by process"):
            await places.restore("copy.db", other / "bridge.db")


async def test_a_copy_whose_audit_was_tampered_with_is_not_restored(places: Places) -> None:
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")
    await places.back_up(places.folder / "bridge.db", "copy.db")
    with closing(sqlite3.connect(places.folder / "copy.db")) as connection, connection:
        connection.execute("UPDATE audit SET reason = 'forged' WHERE seq = 3")
    with pytest.raises(NotSound) as refused:
        await places.restore("copy.db", places.folder / "new.db")
    assert refused.value.report.findings[0].first <= 3
    assert not (places.folder / "new.db").exists()
    assert list(places.folder.glob(".new*")) == []


async def test_a_text_that_a_server_cannot_store_is_named(places: Places) -> None:
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")
    await places.back_up(places.folder / "bridge.db", "copy.db")
    with closing(sqlite3.connect(places.folder / "copy.db")) as connection, connection:
        connection.execute("UPDATE audit SET detail = 'a' || char(0) || 'b' WHERE seq = 3")
    address = parse_address(places.server())
    with pytest.raises(StorageError, match="audit record 3 holds characters"):
        await asyncio.to_thread(
            restore, places.folder / "copy.db", address, trust=None, moved=True, clock=places.clock, progress=ignore
        )  # fmt: skip
    async with engine(places.folder, TEXT, places.clock, address.dsn.reveal()) as bench:
        await bench.post(firing("Nothing of it was loaded"))


async def test_a_copy_that_cannot_be_put_on_record_is_kept_and_says_so(places: Places) -> None:
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")

    def lost() -> InstanceKeys:
        raise SecretError("the keyring is gone")

    made = await back_up(
        places.folder / "bridge.db", places.folder / "copy.db", keys=lost, tell=_unheard, by="alice",
        clock=places.clock, replace=False, progress=ignore,
    )  # fmt: skip
    assert made.unrecorded == "the keyring is gone"
    assert (await places.restore("copy.db", None)).report is not None


async def test_a_backup_leaves_it_to_the_next_start_to_say_that_the_database_was_restored(places: Places) -> None:
    async with engine(places.folder, TEXT, places.clock) as bench:
        await live(bench, "Before")
    await places.back_up(places.folder / "bridge.db", "copy.db")
    new = places.folder / "new" / "bridge.db"
    await places.restore("copy.db", new, moved=False)
    made = await places.back_up(new, "again.db")
    assert "the next start of a bridge is to say so first" in made.unrecorded
    (new.parent / "bridge.db.keys").write_bytes((places.folder / "bridge.db.keys").read_bytes())
    (new.parent / "bridge.db.keys").chmod(0o600)
    places.clock.time += timedelta(hours=1)
    async with engine(new.parent, TEXT, places.clock) as bench:
        assert bench.trail is not None
        assert bench.trail.restored
