"""A silence that one bridge makes holds on all that share the database."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.engine.silences import SilenceBook
from bridge.ingest.posted_silence import PostedSilence
from tests.bridge_bench import START
from tests.contract.replicas.bridges import bridges

pytestmark = pytest.mark.postgres

POSTED = PostedSilence(
    "", (("alertname", "=", "A"),), None, START + timedelta(hours=1), created_by="alice", comment="why", annotations={}
)


async def test_another_bridge_learns_of_a_silence_and_of_its_end(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        first, second = (SilenceBook(bench.transactions, bench.clock) for bench in found)
        await first.load()
        await second.load()
        made = await first.put(POSTED, "alice", START)
        assert len(second.snapshot) == 0
        await second.refresh()
        assert [silence.id for silence in second.snapshot] == [made]
        await second.expire(made, "bob", START)
        await first.refresh()
        assert len(first.snapshot) == 0


async def test_a_change_of_ones_own_after_anothers_shows_both(tmp_path: Path, postgres_url: str) -> None:
    async with bridges(tmp_path, postgres_url) as found:
        first, second = (SilenceBook(bench.transactions, bench.clock) for bench in found)
        await first.load()
        await second.load()
        made = [await first.put(POSTED, "alice", START), await second.put(POSTED, "bob", START)]
        assert {silence.id for silence in second.snapshot} == set(made)
