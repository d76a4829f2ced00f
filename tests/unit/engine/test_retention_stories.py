"""Random stories in which what is over is forgotten within minutes: no promise is broken by it, and the audit holds throughout."""

from __future__ import annotations

import asyncio
import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from bridge.config.server import StorageSettings
from bridge.engine.refusals import Refusals
from bridge.engine.retention import Retention
from bridge.engine.sweeper import Sweeper
from bridge.secrets.instance import InstanceKeys
from tests.unit.engine.story import Story
from tests.unit.engine.test_random_stories import Step, ends, once, order, promises, tell, written

KEPT = timedelta(minutes=10)
STORIES = int(os.environ.get("ALERTBRIDGE_STORIES", "24"))
_MEMORY = Path("/dev/shm")


class Pruned(Story):
    """A story in which everything that is over is forgotten within minutes."""

    pruned = 0

    async def begin(self) -> None:
        await super().begin()
        keys = InstanceKeys.load_or_create(self.folder / "bridge.db.keys")
        retention = Retention(self.bench.transactions, keys, monotonic=self._seconds, budget=float("inf"))

        async def keep_house(now: datetime) -> None:
            assert self.bench.trail is not None
            await self.bench.trail.checkpoint_if_due(now)
            before = await self.bench.audit("pruned")
            await retention.step(now)
            self.pruned += len(await self.bench.audit("pruned")) != len(before)
            self.wrongs += await asyncio.to_thread(self.audited)

        self.sweeper = Sweeper(
            self.bench.transactions, Refusals(), keep_house, self.bench.metrics, self.clock, lambda: True
        )

    def configure(self, text: str) -> None:
        super().configure(text)
        generation = self.bench.transactions.generation()
        config = replace(generation.config, storage=StorageSettings(retention=KEPT))
        self.bench.transactions.swap(replace(generation, config=config))

    def _seconds(self) -> float:
        return self.clock.now().timestamp()


async def play(steps: list[Step], story: Pruned) -> list[str]:
    """As the other stories are told, without failures; what was told is judged, and that the log holds at each step."""
    await story.begin()
    for step in steps:
        if step != ("reload", False):
            await tell(story, step)
    for _quarter in range(6):
        await story.wait(900)
    wrongs = promises(story)
    story.moment += 1
    story.clock.turn(seconds=1)
    await story.resolve(story.known)
    await story.settle()
    for _hour in range(3):
        await story.wait(3600)
    wrongs += story.wrongs + order(story) + ends(story) + once(story)
    await story.end()
    return wrongs + await asyncio.to_thread(story.audited)


@pytest.mark.parametrize("first", range(0, STORIES, 8))
def test_nobody_notices_that_what_is_over_is_forgotten(first: int) -> None:
    pruned = 0
    for number in range(first, first + 8):
        with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as place:
            (Path(place) / "bridge-0").mkdir()
            story = Pruned(Path(place) / "bridge-0")
            steps = written(number, wild=False)
            assert asyncio.run(play(steps, story)) == [], "\n".join(map(str, steps))
            pruned += story.pruned
    assert pruned > 8
