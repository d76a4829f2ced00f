"""The random stories of the engine's unit tests, told on PostgreSQL: the same promises, judged by the same onlooker.

`ALERTBRIDGE_STORIES=N` scales the run.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.secrets.instance import InstanceKeys
from bridge.storage.postgres_address import parse_address
from tests.postgres import Cluster
from tests.unit.engine.story import Story
from tests.unit.engine.test_random_stories import HARD, Step, play, written

STORIES = int(os.environ.get("ALERTBRIDGE_STORIES", "6"))


@dataclass
class PostgresStory(Story):
    """A killed bridge leaves its leases behind; the next one begins when they have run out."""

    cluster: Cluster | None = None

    async def begin(self) -> None:
        assert self.cluster is not None
        self.url = self.url or self.cluster.dsn(self.cluster.create())
        await super().begin()

    async def kill(self) -> None:
        """What the server holds at this moment is copied; the old bridge goes on with a database that is of no account."""
        assert self.cluster is not None
        self.troubled = True
        old = self.url.rpartition("/")[2]
        copy = await asyncio.to_thread(self._copied, self.cluster, old)
        self.url = self.cluster.dsn(copy)
        await self._stack.aclose()
        self.hanging.clear()
        await self.begin()

    async def wait(self, seconds: float) -> None:
        assert self.bench.leases is not None
        await self.bench.leases.step()
        await super().wait(seconds)

    def audited(self) -> list[str]:
        keys = InstanceKeys.load_or_create(self.folder / "bridge.db.keys")
        return [str(finding) for finding in verify(parse_address(self.url), Trust(keys.verifiers)).findings]

    def _copied(self, cluster: Cluster, old: str) -> str:
        cluster.query(f'ALTER DATABASE "{old}" ALLOW_CONNECTIONS false')
        cluster.query(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{old}'")
        copy = cluster.create(old)
        cluster.query(f'ALTER DATABASE "{old}" ALLOW_CONNECTIONS true')
        cluster.query("UPDATE deliveries SET lease_until = 0 WHERE state = 'leased'", copy)
        return copy


async def wrongs(steps: list[Step], folder: Path, cluster: Cluster) -> list[str]:
    await asyncio.to_thread(folder.mkdir)
    return await play(steps, PostgresStory(folder, cluster=cluster))


@pytest.mark.parametrize("name", HARD)
async def test_a_story_that_is_hard_to_tell_is_told_to_its_end(name: str, tmp_path: Path, postgres: Cluster) -> None:
    assert await wrongs(HARD[name], tmp_path / "story", postgres) == []


@pytest.mark.parametrize("wild", [False, True], ids=["without failures", "with failures"])
async def test_a_random_story_is_told_to_its_end(wild: bool, tmp_path: Path, postgres: Cluster) -> None:
    for number in range(STORIES):
        steps = written(number, wild=wild)
        assert await wrongs(steps, tmp_path / str(number), postgres) == [], f"story {number}: {steps}"
