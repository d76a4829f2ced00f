"""How heartbeats and drills are, for the metrics, when these are asked for."""

from __future__ import annotations

from bridge.engine.generation import Generation
from bridge.observe.signs import Beat, Held
from bridge.storage import drills, heartbeats
from bridge.storage.transaction import Tx


async def measure(tx: Tx, generation: Generation) -> tuple[list[Beat], list[Held]]:
    """Those that are configured."""
    known = {found.name: found for found in await heartbeats.every(tx)}
    beats = []
    for name in generation.heartbeats.by_name:
        found = known.get(name)
        beats.append(
            Beat(name, found.last_at if found else None, found is not None and found.missing_since is not None)
        )
    held = [
        Held(last.name, last.at, last.outcome, last.delivered_ms, last.acknowledged_ms)
        for name in generation.drills
        for last in await drills.results(tx, name, 1)
    ]
    return beats, held
