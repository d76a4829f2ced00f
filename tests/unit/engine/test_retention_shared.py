"""Retention where several bridges write: a chain that was silent for long goes on after the pruning, and all verifies."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from bridge.audit.findings import Report
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.engine.retention import Retention
from bridge.secrets.instance import InstanceKeys
from bridge.storage.postgres_address import parse_address
from tests.bridge_bench import Bench, Dial, engine, firing, resolved

MONTH = """
storage: {url: "postgresql://bridge@db.example.com/bridge", retention: 30d}
channels: {people: {type: console}}
route: {receiver: people}
"""


async def an_incident(bench: Bench, name: str) -> None:
    assert bench.trail is not None
    at = bench.clock.now()
    await bench.post(firing(name, at=at))
    await bench.post(resolved(name, at=at, end=bench.clock.turn(minutes=5)))
    await bench.trail.checkpoint(bench.clock.now())
    bench.clock.turn(minutes=1)


async def prune(bench: Bench, keys: InstanceKeys) -> None:
    """Everything that is due."""

    def seconds() -> float:
        return bench.clock.now().timestamp()

    retention = Retention(bench.transactions, keys, shared=True, monotonic=seconds, budget=float("inf"))
    await retention.step(bench.clock.now())
    bench.clock.turn(minutes=5)
    await retention.step(bench.clock.now())
    assert not retention.at_work


async def verified(url: str, keys: InstanceKeys) -> Report:
    report = await asyncio.to_thread(verify, parse_address(url), Trust(keys.verifiers))
    assert report.findings == ()
    return report


async def test_a_chain_that_was_silent_for_longer_than_the_retention_goes_on(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    async with (
        engine(tmp_path, MONTH, clock, postgres_url) as busy,
        engine(tmp_path, MONTH, clock, postgres_url) as silent,
    ):
        keys = InstanceKeys.load(tmp_path / "bridge.db.keys")
        await an_incident(busy, "Both have begun")
        for _month in range(3):
            await an_incident(busy, "One")
            await an_incident(busy, "Two")
            clock.time += timedelta(days=31)
            before = (await verified(postgres_url, keys)).records
            await prune(busy, keys)
            assert (await verified(postgres_url, keys)).records < before
        await an_incident(silent, "The other takes over")
        await an_incident(busy, "And the first goes on")
        report = await verified(postgres_url, keys)
        assert report.signed_through == report.last_seq


async def test_whoever_leads_prunes_on_where_another_has_pruned(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    async with (
        engine(tmp_path, MONTH, clock, postgres_url) as one,
        engine(tmp_path, MONTH, clock, postgres_url) as other,
    ):
        keys = InstanceKeys.load(tmp_path / "bridge.db.keys")
        for bench in (one, other, one, other):
            await an_incident(one, "One")
            await an_incident(other, "Two")
            await an_incident(one, "Three")
            clock.time += timedelta(days=31)
            await asyncio.gather(prune(bench, keys), prune(one, keys))
            await verified(postgres_url, keys)


async def test_bridges_that_come_and_go_leave_heads_that_still_fit(tmp_path: Path, postgres_url: str) -> None:
    clock = Dial()
    for number in range(4):
        async with (
            engine(tmp_path, MONTH, clock, postgres_url) as one,
            engine(tmp_path, MONTH, clock, postgres_url) as other,
        ):
            keys = InstanceKeys.load(tmp_path / "bridge.db.keys")
            await an_incident(one, "One")
            await an_incident(other, "Two")
            if number % 2:
                assert one.trail is not None
                await one.trail.end(clock.now())
            clock.time += timedelta(days=20)
            await an_incident(other, "Three")
            await prune(other, keys)
            await verified(postgres_url, keys)
