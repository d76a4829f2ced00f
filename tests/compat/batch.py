"""One batch of histories, live: both programs are started, fed, heard and judged."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import aiohttp
from msgspec import Struct, field

from tests.compat.history import History
from tests.compat.judge import Program, Verdict, judge, streams
from tests.compat.live import Client, play
from tests.compat.model import DIFFERENCES
from tests.compat.planted_bridge import compat_bridge
from tests.compat.random_histories import MARGIN, Histories
from tests.compat.rendering import alertmanager_yml, bridge_yml
from tests.compat.setting import Setting
from tests.compat.sink import Sink
from tests.running_alertmanager import alertmanager

BOUNDARY = 8.0
"""Seconds after the beginning of a batch at which a minute is full, where times begin and end."""
LATE = MARGIN - 0.05
SIZE = 50
"""Histories that run at the same time."""
_AGAIN = 2
_SIDES = ("left", "right")
NEVER = float("inf")
_LEAD = 2.5
"""Seconds before the beginning at which Alertmanager starts its clean-up of empty groups anew."""


class Running(Protocol):
    @property
    def url(self) -> str: ...


Start = Callable[[Path, str], AbstractContextManager[Running]]


class Case(Struct, frozen=True):
    number: int
    setting: Setting
    history: History


class Batch(Struct):
    """What came of it, by the history's number. `late` are those in which a request came so late that nothing can be said,
    `latest` is by how many seconds the latest was late.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    latest: float = 0.0


def bounded(number: int) -> bool:
    """Whether times begin and end while the history of this number runs: in every second batch."""
    return number // SIZE % 2 == 1


def case(seed: int, number: int) -> Case:
    """The history of this number. Two of three have no outcome in which the programs are meant to differ."""
    rng = random.Random(f"{seed}-{number}")
    histories = Histories(rng, boundary=_boundary(bounded(number)))
    return Case(number, *histories.make(f"h{number}", plain=number % 3 != 2))


def play_all(cases: list[Case], *, twin: bool = False, planted: str = "") -> Batch:
    """Run them in batches; those for which the machine was too slow again, up to twice."""
    whole = Batch()
    for _ in range(1 + _AGAIN):
        missing = [one for one in cases if one.number not in whole.verdicts]
        groups: dict[tuple[bool, int], list[Case]] = {}
        for one in missing:
            groups.setdefault((bounded(one.number), missing.index(one) // SIZE), []).append(one)
        for (boundary, _), group in sorted(groups.items()):
            with tempfile.TemporaryDirectory() as folder:
                batch = asyncio.run(run(Path(folder), group, boundary=boundary, twin=twin, planted=planted))
            whole.verdicts |= batch.verdicts
            whole.late += batch.late
            whole.latest = max(whole.latest, batch.latest)
    return whole


async def run(folder: Path, cases: list[Case], *, boundary: bool, twin: bool = False, planted: str = "") -> Batch:
    """Alertmanager beside the bridge, or beside another Alertmanager (`twin`)."""
    begin_at = _beginning(boundary=boundary)
    async with Sink() as sink, aiohttp.ClientSession() as session:
        with ExitStack() as stack:
            minute = begin_at + timedelta(seconds=BOUNDARY)
            settings = [one.setting for one in cases]
            theirs = alertmanager_yml(settings, f"{sink.url}/left", minute)
            left = stack.enter_context(alertmanager(folder / "left", theirs))
            if twin:
                right: Running = stack.enter_context(
                    alertmanager(folder / "right", alertmanager_yml(settings, f"{sink.url}/right", minute))
                )
            else:
                text = bridge_yml(settings, f"{sink.url}/right", minute)
                right = stack.enter_context(compat_bridge(folder / "right", text, planted))
            if not boundary:
                begin_at = datetime.now(UTC) + timedelta(seconds=_LEAD)
            loop = asyncio.get_running_loop()
            begin = loop.time() + (begin_at - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(0.0, begin - loop.time() - _LEAD))
            for url in (left.url, right.url) if twin else (left.url,):  # its clean-up of empty groups starts anew
                async with session.post(f"{url}/-/reload") as answer:
                    assert answer.status == 200
            clients = [
                Client("alertmanager", left.url, session, begin_at),
                Client("bridge", right.url, session, begin_at),
            ]
            await play({one.setting.name: one.history for one in cases}, clients, begin)
        heard = sink.heard()
    batch = Batch()
    for one in cases:
        programs = [
            Program(client.name, streams(heard, side, begin, one.setting), client.traces[one.setting.name])
            for client, side in zip(clients, _SIDES, strict=True)
        ]
        late = max(program.trace.late for program in programs)
        batch.latest = max(batch.latest, late)
        if late > LATE:
            batch.late.append(one.number)
        else:
            differing = () if twin else DIFFERENCES
            verdict = judge(one.setting, one.history, *programs, differing, _boundary(bounded(one.number)))
            batch.verdicts[one.number] = verdict
    return batch


def _boundary(bounded: bool) -> float:
    return BOUNDARY if bounded else NEVER


def _beginning(*, boundary: bool) -> datetime:
    """When a batch begins: if need be so that a minute, not the day's first, is full at the boundary."""
    begin = datetime.now(UTC) + timedelta(seconds=5)
    if boundary:
        minute = (begin + timedelta(seconds=BOUNDARY + 60)).replace(second=0, microsecond=0)
        minute += timedelta(minutes=1) if minute.hour == minute.minute == 0 else timedelta()
        begin = minute - timedelta(seconds=BOUNDARY)
    return begin
