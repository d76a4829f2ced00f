"""The acknowledgement against escalation and sending: after it is committed no page is claimed.

`ALERTBRIDGE_INTERLEAVINGS=N` scales the run. The judge hears when an acknowledgement was answered and when the claim of a
page was asked for: a page is a violation if its claim was asked for after its acknowledgement was answered.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

import pytest

from bridge.domain.message import Reason
from bridge.engine.claim import Job
from bridge.storage.deliveries import Live
from tests.bridge_bench import Bench, Dial, firing
from tests.contract.replicas.bridges import bridges

INTERLEAVINGS = int(os.environ.get("ALERTBRIDGE_INTERLEAVINGS", "200"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
AT_ONCE = 20
ESCALATING = """
channels:
  people: {type: console}
  pager: {type: console}
escalations:
  up: [{after: 1m, notify: [pager]}]
route:
  receiver: people
  hooks: [dedupe, {escalate: up}]
"""


class Judge:
    """Counts events, so that before and after are certain: one event loop, one counter."""

    def __init__(self) -> None:
        self._ticks = itertools.count()
        self.answered: dict[str, int] = {}
        self.pages: list[tuple[str, int]] = []
        self._paged = asyncio.Condition()

    def watch(self, bench: Bench) -> None:
        """Note which pages a bridge claims, and when it asked for them."""
        claim: Callable[[list[Live], datetime], Awaitable[list[Job | None]]] = bench.sender._claim

        async def noting(taken: list[Live], now: datetime) -> list[Job | None]:
            asked = next(self._ticks)
            jobs = await claim(taken, now)
            async with self._paged:
                self.pages += [
                    (job.claimed.incident, asked) for job in jobs if job and job.claimed.reason is Reason.ESCALATED
                ]
                self._paged.notify_all()
            return jobs

        bench.sender._claim = noting  # type: ignore[method-assign]

    async def acknowledge(self, bench: Bench, incident: str, pages: int, pause: int) -> None:
        """After so many pages were claimed from now, and so many turns of the loop."""
        enough = len(self.pages) + pages
        async with self._paged:
            await self._paged.wait_for(lambda: len(self.pages) >= enough)
        for _turn in range(pause):
            await asyncio.sleep(0)
        await bench.operator.acknowledge(incident, "alice", bench.clock.now())
        self.answered[incident] = next(self._ticks)

    def violations(self) -> list[str]:
        return [incident for incident, asked in self.pages if asked > self.answered.get(incident, asked)]


async def _page(bench: Bench, pause: int, stop: asyncio.Event) -> None:
    """Take due steps and send what they plan, again and again, as the loops do."""
    while not stop.is_set():
        for _turn in range(pause):
            await asyncio.sleep(0)
        await bench.timekeeper.step(bench.clock.now())
        await bench.sender.step(bench.clock.now())
        await bench.sender.idle()


async def _race(found: list[Bench], judge: Judge, rng: random.Random) -> None:
    clock = found[0].clock
    names = [f"A{rng.getrandbits(64):x}" for _number in range(AT_ONCE)]
    for name in names:
        await rng.choice(found).post(firing(name))
    page = await found[0].operator.incidents(states=("open",), limit=1000)
    clock.turn(seconds=70)
    longest = rng.choice((20, 200, 2000))
    late = rng.randrange(AT_ONCE)  # so many wait for a page: how long a commit takes is the machine's affair
    stop = asyncio.Event()
    loops = [asyncio.create_task(_page(bench, rng.randrange(4), stop)) for bench in found]
    await asyncio.gather(
        *(
            judge.acknowledge(
                rng.choice(found), incident.id, rng.randint(1, late) if number < late else 0, rng.randrange(longest)
            )
            for number, incident in enumerate(page.incidents)
        )
    )
    stop.set()
    await asyncio.gather(*loops)
    for bench in found:
        await bench.settle()


@pytest.mark.parametrize("urls", ["sqlite", "postgres"])
async def test_after_an_acknowledgement_no_page_is_claimed(
    tmp_path: Path, urls: str, request: pytest.FixtureRequest
) -> None:
    judge = Judge()
    url = request.getfixturevalue("postgres_url") if urls == "postgres" else ""
    async with bridges(tmp_path, url, 2 if url else 1, ESCALATING, Dial()) as found:
        for bench in found:
            judge.watch(bench)
        rng = random.Random(SEED)
        while len(judge.answered) < INTERLEAVINGS:
            await _race(found, judge, rng)
        told = [message for bench in found for message in bench.sent if message.reason is Reason.ESCALATED]
    assert judge.violations() == []
    assert 0 < len(told) < len(judge.answered), "the race is always won by the same side: it shows nothing"
    assert len({message.incident for message in told}) == len(told)
