"""One alert's life, told to people."""

from __future__ import annotations

from pathlib import Path

from tests.bridge_bench import engine, firing, resolved


async def test_a_firing_alert_is_told_once_and_its_end_once(tmp_path: Path) -> None:
    async with engine(tmp_path) as bench:
        await bench.post(firing())
        await bench.post(firing())
        end = bench.clock.turn(minutes=1)
        await bench.post(resolved(end=end))
        await bench.post(resolved(end=end))

        assert bench.told() == ["people opened", "people resolved"]
        assert [kind for kind, _reason, _channel in await bench.audit()] == [
            "started", "received", "opened", "sent", "received", "duplicate", "received", "resolved", "sent", "received", "duplicate",
        ]  # fmt: skip
