"""Makes databases with a past: by the engine itself, in big batches, so that they hold what a bridge would have written."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bench.load import WEBHOOK
from bridge.channels.api import Receipt
from bridge.domain.audit import Kind
from bridge.domain.moment import new_id
from bridge.engine.attempt import Attempt
from bridge.engine.claim import claim
from bridge.engine.keeping import keep
from bridge.engine.outcome import Attempted, record_sent
from bridge.engine.planner import Planner
from bridge.engine.render import render
from bridge.engine.work import Work
from bridge.ingest.webhook import parse
from bridge.secrets.instance import InstanceKeys
from tests.bridge_bench import Bench, Dial, engine

CONFIG = """
channels:
  sink: {type: webhook, url: "http://127.0.0.1:9/"}
route: {receiver: sink}
"""
ESCALATING = """
channels:
  sink: {type: webhook, url: "http://127.0.0.1:9/"}
escalations:
  night: [{after: 2h, notify: [sink]}, {after: 3h, notify: [sink]}, {after: 24h, notify: [sink]}]
route: {receiver: sink, hooks: [dedupe, {escalate: night}]}
"""
_TOGETHER = 1000
_RECORDS = 5000
_SOURCE = "default"


def history(folder: Path, incidents: int, records: int, url: str = "") -> None:
    """So many open incidents, all told, and so many audit records: theirs, and those of repeats that told nobody."""
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_history(folder, incidents, records, url))


def backlog(folder: Path, requests: int) -> None:
    """So many requests that were accepted and are not planned."""
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_backlog(folder, requests))


def waiting(folder: Path, incidents: int) -> None:
    """So many open incidents, all told, each with three steps to take: in an hour, in two, in 23."""
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(_history(folder, incidents, 0, "", ESCALATING))


async def _history(folder: Path, incidents: int, records: int, url: str, text: str = CONFIG) -> None:
    clock = Dial(datetime.now(UTC) - timedelta(hours=1))
    async with engine(folder, text, clock, url) as made:
        attempt = Attempt(InstanceKeys.load_or_create(folder / "bridge.db.keys"), clock, str)
        bodies = _bodies(incidents, clock.now())
        while batch := list(itertools.islice(bodies, _TOGETHER)):
            await made.transactions.write(clock.now(), partial(_told, attempt=attempt, bodies=batch))
            clock.turn(seconds=0.01)
        await _repeats(made, records - 3 * incidents)


async def _told(work: Work, attempt: Attempt, bodies: list[bytes]) -> None:
    """Each request is kept and planned, what it leads to claimed, and noted as delivered."""
    for body in bodies:
        webhook = parse("auto", body, _SOURCE, work.now)
        await keep(work, webhook, body, hashlib.sha256(body).hexdigest(), planned=True)
        await Planner(work, webhook).plan()
    lives = work.effects.live
    configured = work.generation.channels["sink"]
    jobs = await claim(work, [live.id for live in lives])
    made = [
        Attempted(
            job, live, render(attempt.view(configured, job), configured.options, work.generation.templates), Receipt(), None,
            configured.options.give_up_after, 0.001, work.now,
        )
        for live, job in zip(lives, jobs, strict=True)
        if job is not None
    ]  # fmt: skip
    await record_sent(work, made)


async def _repeats(made: Bench, records: int) -> None:
    """What repeats leave: the request's record, and that it was a duplicate of an incident."""

    async def some(work: Work) -> None:
        for number in range(_RECORDS // 2):
            digest = hashlib.sha256(number.to_bytes(8, "big")).hexdigest()
            work.record(Kind.RECEIVED, source=_SOURCE, digest=digest, detail=f'{{"request":{number},"alerts":1}}')
            work.record(Kind.DUPLICATE, source=_SOURCE, incident=new_id(work.now), reason="duplicate", detail="dedupe")

    for _batch in range(max(0, records) // _RECORDS):
        await made.transactions.write(made.clock.now(), some)
        made.clock.turn(seconds=0.01)


async def _backlog(folder: Path, requests: int) -> None:
    async with engine(folder, CONFIG, Dial(datetime.now(UTC))) as made:
        bodies = _bodies(requests, made.clock.now())
        while batch := list(itertools.islice(bodies, _TOGETHER)):

            async def some(work: Work, batch: list[bytes] = batch) -> None:
                for body in batch:
                    webhook = parse("auto", body, _SOURCE, work.now)
                    await keep(work, webhook, body, hashlib.sha256(body).hexdigest(), planned=False)

            await made.transactions.write(made.clock.now(), some)


def _bodies(count: int, now: datetime) -> Iterator[bytes]:
    """As the load generator's, of alerts that it does not post."""
    start = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    at = round(now.timestamp() * 1e9)
    for n in range(count):
        yield (WEBHOOK % {"n": n, "at": at + n, "start": start, "fp": 2**63 | n}).encode()
