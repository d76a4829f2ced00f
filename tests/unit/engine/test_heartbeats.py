"""A heartbeat that stays away for its interval opens an incident by the normal routes, and ends it when it comes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from bridge.engine import heartbeats
from bridge.engine.heartbeat_book import HeartbeatBook, HeartbeatView
from bridge.engine.reconfigured import adopt
from bridge.storage import watch
from tests.bridge_bench import START, Bench, Dial, engine, firing, resolved

HEAD = """
channels:
  people: {type: console}
  pager: {type: console}
route:
  receiver: people
  routes: [{matchers: ['team="infra"'], receiver: pager}]
"""
BACKUP = HEAD + "heartbeats: {backup: {every: 10m, grace: 1m}}\n"
ROUTED = HEAD + "heartbeats: {backup: {every: 10m, grace: 1m, severity: warning, labels: {team: infra}}}\n"
AWAITED = HEAD + "heartbeats: {backup: {every: 10m, grace: 1m, first: awaited}}\n"
WATCHDOG = HEAD + "heartbeats: {prometheus: {every: 10m, grace: 1m, matchers: ['alertname=Watchdog']}}\n"
OF_A_SOURCE = WATCHDOG.replace("grace: 1m,", "grace: 1m, source: api,")


async def begin(bench: Bench) -> None:
    await adopt(bench.transactions, bench.clock.now())
    await bench.settle()


async def beat(bench: Bench, name: str = "backup") -> HeartbeatView:
    found = await HeartbeatBook(bench.transactions).beat(name, bench.clock.now())
    await bench.settle()
    return found


async def at(bench: Bench, **span: float) -> list[str]:
    """What was told by then."""
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds(), step=30)
    return bench.told()


async def state(bench: Bench) -> str:
    [found] = (await HeartbeatBook(bench.transactions).every()).heartbeats
    return found.state.value


async def restart(bench: Bench, alive: datetime) -> None:
    """What a start does after there was no bridge since `alive`."""
    await bench.transactions.write(bench.clock.now(), lambda work: heartbeats.excuse(work, alive))
    await begin(bench)


async def test_one_that_stays_away_opens_an_incident_and_ends_it_when_it_comes_back(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await begin(bench)
        await at(bench, minutes=9)
        await beat(bench)
        assert await at(bench, minutes=19.5) == []
        assert await at(bench, minutes=20) == ["pager opened"]
        assert await state(bench) == "missing"
        [alert] = bench.sent[0].alerts
        assert alert.labels == {
            "alertname": "HeartbeatMissing", "heartbeat": "backup", "severity": "warning", "team": "infra"
        }  # fmt: skip
        assert alert.annotations["summary"] == (
            "the heartbeat backup has not come for 11m: the last was at 2026-03-01 12:09:00 UTC"
        )

        assert await at(bench, minutes=50) == ["pager opened"], "it is said once"
        await beat(bench)
        assert bench.told() == ["pager opened", "pager resolved"]
        assert await state(bench) == "comes"
        assert [line for line in await bench.audit("missed") if line] == [("missed", "backup", "")]


async def test_one_that_never_came_is_missing_its_interval_after_it_was_configured(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        assert await at(bench, minutes=10.5) == []
        assert await at(bench, minutes=11) == ["people opened"]
        assert bench.sent[0].alerts[0].annotations["summary"] == (
            "the heartbeat backup has not come since it is expected, 2026-03-01 12:00:00 UTC"
        )
        assert bench.sent[0].severity == "critical"


async def test_one_that_is_awaited_counts_from_its_first_beat(tmp_path: Path) -> None:
    async with engine(tmp_path, AWAITED) as bench:
        await begin(bench)
        assert await at(bench, hours=3) == []
        assert await state(bench) == "awaited"
        await beat(bench)
        assert await at(bench, hours=3, minutes=10.5) == []
        assert await at(bench, hours=3, minutes=11) == ["people opened"]


async def test_what_somebody_resolved_by_hand_opens_again_while_it_is_missing(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        await at(bench, minutes=11)
        await bench.operator.resolve(bench.sent[0].incident, "alice", bench.clock.now())
        assert await at(bench, minutes=65) == ["people opened", "people resolved"]
        assert (await at(bench, minutes=85))[2:] == ["people opened"]


async def test_an_alert_that_always_fires_is_a_heartbeat_and_its_absence_is_told(tmp_path: Path) -> None:
    async with engine(tmp_path, WATCHDOG) as bench:
        await begin(bench)
        await bench.post(firing("Watchdog"), firing("Down"))
        for minute in (5, 10, 15):
            assert await at(bench, minutes=minute) == ["people opened"], "of the other alert in the request"
            await bench.post(firing("Watchdog"))
        assert await at(bench, minutes=25.5) == ["people opened"]
        assert await at(bench, minutes=26) == ["people opened", "people opened"]
        assert bench.sent[1].alerts[0].labels["heartbeat"] == "prometheus"
        await bench.post(firing("Watchdog"))
        assert bench.told()[2:] == ["people resolved"]


async def test_the_end_of_an_alert_that_should_always_fire_is_no_sign_of_life(tmp_path: Path) -> None:
    async with engine(tmp_path, WATCHDOG) as bench:
        await begin(bench)
        await bench.post(firing("Watchdog"))
        await at(bench, minutes=8)
        await bench.post(resolved("Watchdog", end=bench.clock.now()))
        assert await at(bench, minutes=10.5) == []
        assert await at(bench, minutes=11) == ["people opened"]


async def test_another_sources_alert_is_an_alert(tmp_path: Path) -> None:
    async with engine(tmp_path, OF_A_SOURCE) as bench:
        await begin(bench)
        await bench.post(firing("Watchdog"))
        assert bench.told() == ["people opened"]
        assert await state(bench) == "comes", "nothing was heard of it, and there is time"
        assert await at(bench, minutes=11) == ["people opened", "people opened"]


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    clock = Dial()
    async with engine(tmp_path, BACKUP, clock) as bench:
        await begin(bench)
        await at(bench, minutes=10)
    clock.turn(seconds=20)
    async with engine(tmp_path, BACKUP, clock) as bench:
        await begin(bench)
        assert await at(bench, minutes=10.5) == []
        assert await at(bench, minutes=11) == ["people opened"]
    async with engine(tmp_path, BACKUP, clock) as bench:
        await begin(bench)
        assert await at(bench, minutes=30) == [], "it was said"
        await beat(bench)
        assert bench.told() == ["people resolved"]


async def test_what_nobody_could_hear_is_not_held_against_it_once(tmp_path: Path) -> None:
    clock = Dial()
    async with engine(tmp_path, BACKUP, clock) as bench:
        await begin(bench)
        await beat(bench)
    clock.time = START + timedelta(minutes=30)
    async with engine(tmp_path, BACKUP, clock) as bench:
        await restart(bench, START + timedelta(minutes=9))
        assert await at(bench, minutes=40.5) == []
    clock.time = START + timedelta(minutes=45)
    async with engine(tmp_path, BACKUP, clock) as bench:
        await restart(bench, START + timedelta(minutes=41))
        assert bench.told() == ["people opened"]


async def test_an_outage_within_its_grace_changes_nothing(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        await at(bench, minutes=8)
        await restart(bench, START + timedelta(minutes=7))
        assert await at(bench, minutes=11) == ["people opened"]


async def test_a_bridge_that_starts_often_misses_it_all_the_same(tmp_path: Path) -> None:
    clock = Dial()
    async with engine(tmp_path, BACKUP, clock) as bench:
        await begin(bench)
        await beat(bench)
        told = []
        for minute in range(1, 30):
            await restart(bench, bench.clock.now() - timedelta(minutes=2))
            told = await at(bench, minutes=minute)
        assert told == ["people opened"]


async def test_of_one_that_is_expected_no_longer_the_incident_ends(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await begin(bench)
        await at(bench, minutes=11)
        bench.transactions.swap(bench.configure(HEAD, tmp_path))
        await begin(bench)
        assert bench.told() == ["pager opened", "pager resolved"]
        assert bench.sent[1].alerts[0].labels["team"] == "infra"
        assert await at(bench, minutes=60) == ["pager opened", "pager resolved"]


async def test_another_interval_holds_from_the_last_beat_on(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        await at(bench, minutes=2)
        await beat(bench)
        bench.transactions.swap(bench.configure(BACKUP.replace("every: 10m", "every: 4m"), tmp_path))
        await begin(bench)
        assert await at(bench, minutes=6.5) == []
        assert await at(bench, minutes=7) == ["people opened"]


async def test_a_bridge_that_does_not_expect_it_leaves_its_timer_to_others(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        expecting = bench.transactions.generation()
        bench.transactions.swap(bench.configure(HEAD, tmp_path))  # and it has not adopted it yet
        assert await at(bench, minutes=12) == []
        bench.transactions.swap(expecting)
        assert await at(bench, minutes=14) == ["people opened"]


async def test_when_the_clock_is_set_its_wait_is_as_long_as_it_was(tmp_path: Path) -> None:
    async with engine(tmp_path, BACKUP) as bench:
        await begin(bench)
        await beat(bench)
        ahead = timedelta(hours=5)
        await bench.transactions.write(
            bench.clock.now(), lambda work: watch.shift(work.tx, ahead, bench.clock.now() - ahead)
        )
        bench.clock.time += ahead
        assert await at(bench, hours=5, minutes=10.5) == []
        assert await at(bench, hours=5, minutes=11) == ["people opened"]
        assert (
            bench.sent[0]
            .alerts[0]
            .annotations["summary"]
            .endswith("has not come for 11m: the last was at 2026-03-01 17:00:00 UTC")
        )
