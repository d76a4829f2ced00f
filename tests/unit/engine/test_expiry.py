"""Alerts that nobody ends: their sender named a time, or has been silent for too long."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Webhook
from bridge.engine.expiry import AFTER_A_START, GRACE, Expiry
from tests.bridge_bench import MINIMAL, START, Bench, engine, firing, resolved

AT_ONCE = MINIMAL + "  group_wait: 0s\n  group_interval: 0s\n"
STALE = MINIMAL + "sources: {default: {stale_after: 10m}}\n"
FOREVER = timedelta(hours=1)


def report(at: datetime, *, until: datetime, timeout: bool = False) -> Alert:
    return replace(firing(at=at, source=API), expires_at=until, timeout=timeout)


async def at(bench: Bench, **span: float) -> list[str]:
    target = START + timedelta(**span)
    await bench.pass_time(seconds=(target - bench.clock.now()).total_seconds())
    return bench.told()


async def ends(bench: Bench) -> list[str]:
    return [reason for kind, reason, _channel in await bench.audit() if kind == "stale"]


async def test_an_alert_ends_a_little_after_the_end_its_sender_set(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=4)))
        grace = GRACE.total_seconds()
        assert await at(bench, minutes=4, seconds=grace - 1) == ["people opened"]
        assert await at(bench, minutes=4, seconds=grace) == ["people opened", "people resolved"]
        assert await ends(bench) == ["ends_at"]
        assert bench.sent[1].alerts[0].ends_at == START + timedelta(minutes=4)


async def test_a_report_that_comes_late_by_a_second_keeps_it_firing(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=4)))
        await at(bench, minutes=4, seconds=1)
        await bench.post(report(START, until=START + timedelta(minutes=8)))
        assert await at(bench, minutes=8) == ["people opened"]
        assert await at(bench, minutes=9) == ["people opened", "people resolved"]


async def test_an_end_that_nobody_named_comes_without_grace(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=5), timeout=True))
        assert await at(bench, minutes=4, seconds=59) == ["people opened"]
        assert await at(bench, minutes=5) == ["people opened", "people resolved"]
        assert await ends(bench) == ["resolve_timeout"]


async def test_a_named_end_outlasts_a_later_report_that_names_an_earlier_one(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=30)))
        await bench.post(report(START, until=START + timedelta(minutes=5), timeout=True))
        assert await at(bench, minutes=29) == ["people opened"]
        assert await at(bench, minutes=31) == ["people opened", "people resolved"]


async def test_an_alert_that_was_resolved_does_not_end_again(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=4)))
        end = bench.clock.turn(minutes=1)
        await bench.post(resolved(source=API, end=end))
        assert await at(bench, minutes=10) == ["people opened", "people resolved"]
        assert await ends(bench) == []


async def test_an_end_over_the_api_of_what_never_fired_here_is_told_to_nobody(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(resolved(source=API, end=START))
        assert bench.told() == []
        assert await ends(bench) == ["never_fired"]


async def test_an_end_over_the_api_counts_whatever_its_times_are(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + FOREVER))
        bench.clock.turn(minutes=1)
        long_ago = START - timedelta(hours=1)
        await bench.post(resolved(source=API, at=long_ago, end=long_ago))
        await bench.post(report(START - timedelta(minutes=1), until=START + FOREVER))
        assert bench.told() == ["people opened", "people resolved", "people opened"]


async def test_a_sender_that_falls_silent_is_believed_for_stale_after(tmp_path: Path) -> None:
    async with engine(tmp_path, STALE) as bench:
        await bench.post(firing())
        await at(bench, minutes=9)
        await bench.post(firing())
        assert "people resolved" not in await at(bench, minutes=18)
        assert (await at(bench, minutes=20))[-1] == "people resolved"
        assert await ends(bench) == ["stale_after"]


async def test_without_stale_after_a_webhooks_alert_fires_until_its_sender_says_otherwise(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        bench.clock.turn(days=30)
        await bench.settle()
        assert "people resolved" not in bench.told()


async def test_grafanas_test_ends_after_an_hour(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        alert = firing("TestAlert", instance="Grafana")
        key = f"webhook-{alert.fingerprint}-1700000000"
        test = Webhook("default", "grafana", (alert,), group_labels=alert.labels, group_key=key)
        await bench.intake.accept(test, b"{}", "0" * 64, bench.clock.now())
        await bench.settle()
        bench.clock.turn(minutes=59)
        await bench.settle()
        assert bench.told() == ["people opened"]
        bench.clock.turn(minutes=1)
        await bench.settle()
        assert bench.told() == ["people opened", "people resolved"]


async def test_what_ended_while_the_bridge_was_away_may_be_renewed_before_it_is_believed(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(minutes=4)))
        clock = bench.clock
    clock.turn(minutes=20)
    async with engine(tmp_path, AT_ONCE, clock) as bench:
        await bench.settle()
        await at(bench, minutes=21)
        await bench.post(report(START, until=START + timedelta(minutes=25)))
        assert await at(bench, minutes=24) == []
    async with engine(tmp_path, AT_ONCE, clock) as bench:
        clock.turn(hours=1)
        assert await at(bench, hours=2) == ["people resolved"]
        assert timedelta(minutes=4) > AFTER_A_START


async def test_a_report_of_the_api_reopens_what_was_ended_by_hand_too_long_ago(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        await bench.post(report(START, until=START + timedelta(days=1)))
        incident = (await bench.operator.incidents()).incidents[0].id
        await bench.operator.resolve(incident, "alice", bench.clock.now())
        await bench.settle()
        bench.clock.turn(minutes=59)
        await bench.post(report(START, until=START + timedelta(days=1)))
        assert bench.told() == ["people opened", "people resolved"]
        bench.clock.turn(minutes=1)
        await bench.post(report(START, until=START + timedelta(days=1)))
        assert bench.told() == ["people opened", "people resolved", "people opened"]


async def test_an_end_that_the_api_is_sent_again_is_counted_and_recorded_with_its_requests_alone(
    tmp_path: Path,
) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        end = await fires_and_ends(bench)
        for _minute in range(14):
            bench.clock.turn(minutes=1)
            await bench.post(resolved(end=end, source=API))

        assert Counter(await recorded(bench)) == {"received": 16, "opened": 1, "sent": 2, "resolved": 1}
        assert repeats_counted(bench) == 14


async def test_an_end_that_the_api_is_sent_again_with_another_time_is_recorded(tmp_path: Path) -> None:
    async with engine(tmp_path, AT_ONCE) as bench:
        end = await fires_and_ends(bench)
        await bench.post(resolved(end=end, source=API))
        await bench.post(resolved(end=bench.clock.turn(seconds=10), source=API))

        assert (await recorded(bench)).count("duplicate") == 1
        assert repeats_counted(bench) == 2


async def test_the_next_end_is_known_while_another_alert_is_in_its_grace(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(report(START, until=START + timedelta(seconds=10)))
        silent = START + timedelta(seconds=12)
        await bench.post(replace(firing("Silent", at=START, source=API), expires_at=silent, timeout=True))
        now = bench.clock.turn(seconds=11)

        assert await Expiry(bench.transactions, START).step(now) == (0, silent)


async def test_a_tick_that_comes_late_tells_the_end_that_came_before_it(tmp_path: Path) -> None:
    async with engine(tmp_path, MINIMAL + "  repeat_interval: 20m\n") as bench:  # ticks at 30s, 5m30s, …
        await bench.post(report(START, until=START + timedelta(minutes=25, seconds=10), timeout=True))
        assert await at(bench, minutes=25) == ["people opened"]
        bench.clock.turn(seconds=31)
        await bench.settle()

        assert bench.told() == ["people opened", "people resolved"]


async def fires_and_ends(bench: Bench) -> datetime:
    await bench.post(report(START, until=START + FOREVER))
    end = bench.clock.turn(minutes=1)
    await bench.post(resolved(end=end, source=API))
    return end


async def recorded(bench: Bench) -> list[str]:
    return [kind for kind, _reason, _channel in await bench.audit() if kind != "started"]


def repeats_counted(bench: Bench) -> int:
    labels = {"hook": "dedupe", "reason": "duplicate"}
    return int(bench.metrics.registry.get_sample_value("alertbridge_suppressed_total", labels) or 0)
