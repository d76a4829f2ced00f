"""One batch of histories, live: both programs are started, fed, heard and judged."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import aiohttp
from msgspec import Struct, field

from tests.compat.directed import DIRECTED
from tests.compat.history import History
from tests.compat.judge import Program, Verdict, judge, patience, streams
from tests.compat.live import Client, play
from tests.compat.model import DIFFERENCES
from tests.compat.planted_bridge import compat_bridge
from tests.compat.random_histories import Histories
from tests.compat.rendering import alertmanager_yml, bridge_yml
from tests.compat.setting import Setting
from tests.compat.sink import Heard, Sink
from tests.running_alertmanager import alertmanager

BOUNDARY = 8.0
"""Seconds after the beginning of a batch at which a minute is full, where times begin and end."""
_APART = 0.08
"""Seconds between the beginnings of directed histories."""
SIZE = 50
"""Histories that run at the same time."""
_SIZES = (SIZE, 25, 12, 6, 3, 3)
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""Where databases are: a disk's pauses are not what is compared."""
REAL, TWIN, BRIDGE = "alertmanager", "twin", ""
NEVER = float("inf")
_LEAD = 2.5
"""Seconds before the beginning at which Alertmanager starts its clean-up of empty groups anew."""


class Running(Protocol):
    """A program that listens."""

    url: str


class Case(Struct, frozen=True):
    """`bounded`: times begin and end while the history runs."""

    number: int
    setting: Setting
    history: History
    bounded: bool


class Batch(Struct):
    """What came of it, by the history's number. `late` are those in which a request came so late that nothing can be said,
    `latest` is by how many seconds the latest was late.
    """

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    latest: float = 0.0

    def add(self, batch: Batch) -> None:
        """What a later run gave."""
        self.verdicts = {**batch.verdicts, **self.verdicts}
        self.late += batch.late
        self.latest = max(self.latest, batch.latest)


def case(seed: int, number: int) -> Case:
    """The random history of this number. Two of three have no outcome in which the programs are meant to differ."""
    rng = random.Random(f"{seed}-{number}")
    bounded = number // SIZE % 2 == 1
    histories = Histories(rng, boundary=_boundary(bounded))
    return Case(number, *histories.make(f"h{number}", plain=number % 3 != 2), bounded)


def directed_case(number: int) -> Case:
    """The history of this number among those that show one difference each."""
    directed = DIRECTED[number]
    name = f"d{number}"
    return Case(number, directed.setting(name), directed.history(name, number * _APART), directed.bounded)


def play_all(cases: list[Case], challengers: Sequence[str]) -> dict[str, Batch]:
    """Run them in batches; those for which the machine was too slow again, in smaller ones.

    Too slow it was, too, if nothing but a time differs; if that is so to the last, it is a disagreement.
    """
    whole = {name: Batch() for name in challengers}
    for turn, size in enumerate(_SIZES, 1):
        missing = [one for one in cases if any(one.number not in batch.verdicts for batch in whole.values())]
        groups: dict[tuple[bool, int], list[Case]] = {}
        for place, one in enumerate(missing):
            groups.setdefault((one.bounded, place // size), []).append(one)
        for _, group in sorted(groups.items()):
            with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
                played = asyncio.run(run(Path(folder), group, challengers, may_be_slow=turn < len(_SIZES)))
            for name, batch in played.items():
                whole[name].add(batch)
    return whole


async def run(folder: Path, cases: list[Case], challengers: Sequence[str], *, may_be_slow: bool) -> dict[str, Batch]:
    """One Alertmanager beside each challenger: BRIDGE, TWIN, or the names of bugs planted in a bridge. All at once.

    Either all of the cases are `bounded` or none.
    """
    boundary = cases[0].bounded
    begin_at = _beginning() if boundary else datetime.now(UTC) + timedelta(days=1)
    names = [REAL, *challengers]
    async with Sink() as sink, aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        with ExitStack() as stack:
            minute = begin_at + timedelta(seconds=BOUNDARY)
            settings = [one.setting for one in cases]
            starts: list[AbstractContextManager[Running]] = []
            for place, name in enumerate(names):
                folder_of, address = folder / str(place), f"{sink.url}/{place}"
                if name in {REAL, TWIN}:
                    starts.append(alertmanager(folder_of, alertmanager_yml(settings, address, minute)))
                else:
                    starts.append(compat_bridge(folder_of, bridge_yml(settings, address, minute), name))
            urls = await _start(stack, starts)
            if not boundary:
                begin_at = datetime.now(UTC) + timedelta(seconds=_LEAD)
            loop = asyncio.get_running_loop()
            begin = loop.time() + (begin_at - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(0.0, begin - loop.time() - _LEAD))
            for name, url in zip(names, urls, strict=True):
                if name in {REAL, TWIN}:  # its clean-up of empty groups starts anew
                    async with session.post(f"{url}/-/reload") as answer:
                        assert answer.status == 200
            clients = [Client(name or "bridge", url, session, begin_at) for name, url in zip(names, urls, strict=True)]
            await play({one.setting.name: one.history for one in cases}, clients, begin)
        heard = sink.heard()
    played = _Played(cases, clients, heard, begin, may_be_slow=may_be_slow)
    return {name: played.judged(place, name) for place, name in enumerate(names) if place}


async def _start(stack: ExitStack, starts: Sequence[AbstractContextManager[Running]]) -> list[str]:
    """Start all of them at once; gives their addresses. What has started is ended at the end, also if another has not."""
    tried = await asyncio.gather(*(asyncio.to_thread(one.__enter__) for one in starts), return_exceptions=True)
    for one, running in zip(starts, tried, strict=True):
        if not isinstance(running, BaseException):
            stack.push(one)
    for running in tried:
        if isinstance(running, BaseException):
            raise running
    return [running.url for running in tried if not isinstance(running, BaseException)]


class _Played:
    """What all programs did in one run."""

    def __init__(
        self, cases: list[Case], clients: list[Client], heard: list[Heard], begin: float, *, may_be_slow: bool
    ) -> None:
        self._cases = cases
        self._clients = clients
        self._heard = heard
        self._begin = begin
        self._may_be_slow = may_be_slow

    def judged(self, place: int, name: str) -> Batch:
        """The challenger at this place beside the real Alertmanager."""
        batch = Batch()
        for one in self._cases:
            programs = [self._program(at, one) for at in (0, place)]
            late = max(program.trace.late for program in programs)
            batch.latest = max(batch.latest, late)
            differing = () if name == TWIN else DIFFERENCES
            boundary = _boundary(one.bounded)
            verdict = judge(one.setting, one.history, *programs, differing, boundary)
            slow = late > patience(one.setting, one.history, differing, boundary)
            if not slow and not verdict.agrees and self._may_be_slow and name in {BRIDGE, TWIN}:
                slow = judge(one.setting, one.history, *programs, differing, boundary, NEVER).agrees
            if slow:
                batch.late.append(one.number)
            else:
                batch.verdicts[one.number] = verdict
        return batch

    def _program(self, place: int, one: Case) -> Program:
        client = self._clients[place]
        return Program(
            client.name,
            streams(self._heard, str(place), self._begin, one.setting),
            client.traces[one.setting.name],
        )


def _boundary(bounded: bool) -> float:
    return BOUNDARY if bounded else NEVER


def _beginning() -> datetime:
    """When a batch begins so that a minute, not the day's first, is full at its boundary."""
    begin = datetime.now(UTC) + timedelta(seconds=10)
    minute = (begin + timedelta(seconds=BOUNDARY + 60)).replace(second=0, microsecond=0)
    minute += timedelta(minutes=1) if minute.hour == minute.minute == 0 else timedelta()
    return minute - timedelta(seconds=BOUNDARY)
