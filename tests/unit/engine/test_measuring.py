"""The metrics tell how heartbeats and drills are, for those who alert on them elsewhere."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bridge.engine.heartbeat_book import HeartbeatBook
from bridge.engine.reconfigured import adopt
from bridge.engine.refusals import Refusals
from bridge.engine.sweeper import Sweeper
from tests.bridge_bench import START, Bench, engine

HEAD = """
fallback: people
channels: {people: {type: console}}
route: {receiver: people}
time_intervals: [{name: noon, time_intervals: [{times: [{start_time: '12:30', end_time: '13:00'}]}]}]
"""
BACKUP = HEAD + "heartbeats: {backup: {every: 10m, grace: 1m}}\n"
DRILL = HEAD + "drills: {page: {time_intervals: [noon], acknowledge: 10m}}\n"


async def shown(bench: Bench, prefix: str) -> dict[str, float]:
    """Name and label values → value, of the metrics that begin so."""
    await Sweeper(bench.transactions, Refusals(), _unsigned, bench.metrics, bench.clock).measure()
    body, _content_type = bench.metrics.exposition()
    return {
        " ".join([sample.name.removeprefix("alertbridge_"), *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith(f"alertbridge_{prefix}")
    }


async def _unsigned(_now: datetime) -> None:
    """No checkpoint of the audit."""


async def until(bench: Bench, **span: float) -> None:
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=30)


async def test_a_heartbeat_is_missing_until_it_is_heard_again_and_then_tells_when(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await adopt(bench.transactions, bench.clock.now())
        assert await shown(bench, "heartbeat_") == {"heartbeat_missing backup": 0}
        await until(bench, minutes=12)
        assert await shown(bench, "heartbeat_") == {"heartbeat_missing backup": 1}
        heard = bench.clock.now()
        await HeartbeatBook(bench.transactions).beat("backup", heard)
        assert await shown(bench, "heartbeat_") == {
            "heartbeat_missing backup": 0,
            "heartbeat_last_timestamp_seconds backup": heard.timestamp(),
        }


async def test_the_last_drill_tells_when_it_began_how_it_ended_and_how_fast_it_was(tmp_path: Path) -> None:
    async with engine(tmp_path, DRILL) as bench:
        await adopt(bench.transactions, bench.clock.now())
        assert await shown(bench, "drill") == {}
        await until(bench, minutes=45)
        found = await shown(bench, "drill")
        assert found.pop("drill_last_delivered_seconds page") >= 0
        assert found == {
            "drill_last_timestamp_seconds page": (START + timedelta(minutes=30)).timestamp(),
            "drill_last_outcome page passed": 0,
            "drill_last_outcome page failed": 1,
            "drill_last_outcome page missed": 0,
            "drills_total page failed": 1,
        }
