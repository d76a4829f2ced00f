"""Hooks before and after routing, those that wait included."""

from __future__ import annotations

from pathlib import Path

from tests.bridge_bench import MINIMAL, Bench, engine, firing, resolved

PLUGIN = Path(__file__).parents[2] / "plugins_for_tests.py"
PLUGINS = f"plugins: [{PLUGIN}]\n" + MINIMAL
ROUTED = (
    "hooks: [slow_look]\n" + PLUGINS + "  routes:\n    - {name: found, matchers: ['team=\"found\"'], receiver: pager}\n"
)
LABELLED = (
    'hooks:\n  - enrich: {labels: {team: "{{ labels.alertname | lower }}"}}\n'
    + MINIMAL
    + "  routes:\n    - {name: found, matchers: ['team=\"down\"'], receiver: pager}\n"
)
IO_ROUTE = PLUGINS + "  hooks: [dedupe, slow_look]\n"
HOLDING = PLUGINS + "  hooks: [hold_news]\n"


async def timeline(bench: Bench) -> list[str]:
    return [kind for kind, _reason, _channel in await bench.audit()]


async def test_labels_added_before_routing_decide_the_route(tmp_path: Path) -> None:
    async with engine(tmp_path, LABELLED) as bench:
        await bench.post(firing())
        await bench.post(resolved(end=bench.clock.turn(minutes=1)))

        assert bench.told() == ["pager opened", "pager resolved"]
        assert bench.sent[0].alerts[0].labels["team"] == "down"


async def test_a_hook_before_routing_that_waits_runs_outside_the_transaction(tmp_path: Path) -> None:
    """Accepted first, planned after: the request is in the journal when the sender gets its answer."""
    async with engine(tmp_path, ROUTED) as bench:
        await bench.accept(firing())
        assert bench.told() == []
        assert await timeline(bench) == ["started", "received"]

        await bench.settle()

        assert bench.told() == ["pager opened"]


async def test_what_is_pending_at_a_crash_is_planned_after_it(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        await bench.accept(firing())
        parse = bench.parse
    async with engine(tmp_path, ROUTED) as bench:
        bench.parse.update(parse)
        await bench.settle()

        assert bench.told() == ["pager opened"]


async def test_requests_are_planned_in_the_order_they_came(tmp_path: Path) -> None:
    async with engine(tmp_path, ROUTED) as bench:
        end = bench.clock.turn(minutes=1)
        await bench.accept(firing())
        await bench.accept(resolved(end=end))
        await bench.accept(firing(at=bench.clock.turn(minutes=1)))
        await bench.settle()

        assert [kind for kind in await timeline(bench) if kind in {"opened", "resolved"}] == [
            "opened",
            "resolved",
            "opened",
        ]


async def test_a_request_that_cannot_be_planned_is_put_aside_and_stops_nobody(tmp_path: Path) -> None:
    text = "fallback: people\n" + ROUTED
    async with engine(tmp_path, text) as bench:
        await bench.accept(firing("Poison"))
        digest = next(iter(bench.parse))
        await bench.accept(firing("Fine"))
        del bench.parse[digest]
        for _turn in range(6):
            await bench.settle()

        assert "pager opened" in bench.told()
        assert [reason for _k, reason, _c in await bench.audit("quarantined")] == ["poisoned"]
        assert "people notice" in bench.told()


async def test_a_route_hook_that_waits_enriches_the_message(tmp_path: Path) -> None:
    async with engine(tmp_path, IO_ROUTE) as bench:
        await bench.post(firing())

        assert bench.told() == ["people opened"]
        assert bench.sent[0].alerts[0].labels["team"] == "found"


async def test_news_that_joins_while_a_judgement_waits_is_judged_with_it(tmp_path: Path) -> None:
    async with engine(tmp_path, IO_ROUTE) as bench:
        await bench.accept(firing(instance="a"))
        await bench.accept(firing(instance="b"))
        await bench.settle()

        assert bench.told() == ["people opened"]
        assert {alert.labels["team"] for alert in bench.sent[0].alerts} == {"found"}


async def test_what_a_hook_holds_is_judged_again_at_its_hour_also_after_a_restart(tmp_path: Path) -> None:
    async with engine(tmp_path, HOLDING) as bench:
        await bench.post(firing())
        await bench.pass_time(minutes=9, step=60)
        assert bench.told() == []
        assert [reason for _k, reason, _c in await bench.audit("held")] == ["not_yet"]

        await bench.pass_time(minutes=1)
        assert bench.told() == ["people opened"]


async def test_a_dropped_alert_is_recorded_with_its_reason(tmp_path: Path) -> None:
    async with engine(tmp_path, HOLDING) as bench:
        await bench.post(firing(noise="yes"))
        await bench.pass_time(minutes=11, step=60)

        assert bench.told() == []
        assert [reason for _k, reason, _c in await bench.audit("suppressed")] == ["noise"]
