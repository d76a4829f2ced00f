"""Several bridges, one story: a tick is taken once, and what one knows to be hidden is hidden on all."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from tests.bridge_bench import MINIMAL, START, Bench, firing, resolved
from tests.contract.replicas.bridges import bridges, settle, told

TIMED = MINIMAL + "  group_by: [alertname]\n  group_wait: 30s\n  group_interval: 5m\n  repeat_interval: 20m\n"
RULES = MINIMAL + "inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning]}]\n"


async def after(found: list[Bench], **span: float) -> list[str]:
    """What all were told when the clock they share shows this after the start."""
    clock = found[0].clock
    target = START + timedelta(**span)
    while clock.now() < target:
        clock.turn(seconds=min(30.0, (target - clock.now()).total_seconds()))
        await settle(found)
    return told(found)


async def test_two_bridges_take_each_tick_once(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, text=TIMED) as found:
        one, two = found
        await one.accept(firing(instance="a"))
        await two.accept(firing(instance="b"))
        assert await after(found, minutes=1) == ["people opened"]
        await two.accept(firing(instance="c", at=two.clock.now()))
        assert await after(found, minutes=6) == ["people changed", "people opened"]
        await one.accept(*(resolved(instance=name, end=one.clock.now()) for name in "abc"))
        assert await after(found, minutes=12) == ["people changed", "people opened", "people resolved"]


async def test_what_fires_on_one_bridge_inhibits_on_the_other(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url, text=RULES) as found:
        one, two = found
        await one.accept(firing("Cluster", severity="critical"))
        await settle(found)
        await two.accept(firing("Pod", severity="warning"))
        await settle(found)
        assert told(found) == ["people opened"]
        await two.accept(resolved("Cluster", severity="critical", end=two.clock.turn(minutes=1)))
        await settle(found)
        assert told(found) == ["people opened", "people opened", "people resolved"]


async def test_a_silence_made_on_one_bridge_is_heeded_by_the_other(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        one, two = found
        await one.silence("alertname=Down", end=START + timedelta(minutes=10))
        assert two.silences is not None
        await two.silences.refresh()
        await two.accept(firing())
        assert await after(found, minutes=9) == []
        assert await after(found, minutes=11) == ["people opened"]
        ends = [kind for kind, _reason, _channel in await one.audit() if kind == "silence_expired"]
        assert ends == ["silence_expired"]


async def test_an_alert_ends_by_itself_once(tmp_path: Path, postgres_url: str) -> None:
    text = MINIMAL + "sources: {default: {stale_after: 5m}}\n"
    async with bridges(tmp_path, postgres_url, text=text) as found:
        await found[0].accept(firing())
        await settle(found)
        assert await after(found, minutes=6) == ["people opened", "people resolved"]
        assert len(await found[0].audit("stale")) == 1
