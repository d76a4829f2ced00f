"""A service that repeats itself to every bridge of a shared database has it done once."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from bridge.engine.incident_acts import IncidentActs
from bridge.engine.once import Once, Repeated
from tests.bridge_bench import Bench, firing
from tests.contract.replicas.bridges import bridges, settle

pytestmark = pytest.mark.postgres

ROUNDS = 10


async def ask(bench: Bench, incident: str, key: str) -> str:
    acts = IncidentActs(Once(bench.transactions, "chat", key))
    try:
        detail = await acts.resolve(incident, "alice", bench.clock.now())
    except Repeated:
        return "repeated"
    return detail.note or "done"


async def test_what_is_asked_of_two_bridges_at_once_is_done_once(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        for number in range(ROUNDS):
            await found[0].post(firing(f"Down{number}"))
        await settle(found)
        incidents = [each.id for each in (await found[0].operator.incidents()).incidents]
        assert len(incidents) == ROUNDS
        for incident in incidents:
            asking = [ask(bench, incident, f"key-{incident}") for bench in (*found, *reversed(found))]
            assert Counter(await asyncio.gather(*asking)) == {"done": 1, "repeated": 3}
        for incident in incidents:
            timeline = (await found[1].operator.incident(incident)).timeline
            assert [entry.kind for entry in timeline].count("resolved") == 1
