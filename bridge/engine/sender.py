"""The sending loop: claim what is due, try it, record what came of it.

A slow channel has its own lane, and its own bound on what is in flight, so it slows nobody else. What is in flight
counts until its outcome is committed.

On a shared database the lanes are hints: the rows say what waits, and a claim is a lease in the row.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from msgspec.structs import replace

from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import StorageError
from bridge.engine.attempt import Attempt
from bridge.engine.claim import Job, claim
from bridge.engine.credentials import Credentials
from bridge.engine.generation import ConfiguredChannel, Generation
from bridge.engine.lane import Lane
from bridge.engine.leases import Leases
from bridge.engine.results import Results, unpark
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Effects
from bridge.observe.metrics import Metrics
from bridge.storage import deliveries, replicas
from bridge.storage.deliveries import Live

_IDLE = timedelta(seconds=1)
_PAGE = 5000
_UNRECORDED = timedelta(seconds=30)
_LOOK_EVERY = timedelta(seconds=1)
_LOOK_WHEN_HINTED = timedelta(milliseconds=100)
_GATHERED = timedelta(milliseconds=50)
_LOOK_AT_PARKED_EVERY = timedelta(seconds=5)
_HINTS = 256
_PLENTY = 64
_HOMELESS = timedelta(seconds=10)
_log = structlog.get_logger("bridge.sender")


class Sender:
    """Owns what is in flight. `run` is the loop; `step` is one turn of it, for a clock that a test holds."""

    def __init__(
        self,
        transactions: Transactions,
        attempt: Attempt,
        metrics: Metrics,
        clock: Clock,
        rng: random.Random,
        leases: Leases | None = None,
        leads: Callable[[], bool] = lambda: True,
    ) -> None:
        """`leases` where the database is shared; the bridge that `leads` also takes what is for channels nobody has."""
        self.credentials = Credentials()
        self._transactions = transactions
        self._attempt = attempt
        self._clock = clock
        self._leases = leases
        self._leads = leads
        self._looked_at: datetime | None = None
        self._hinted = False
        self._looked_at_parked: datetime | None = None
        self._lanes: dict[str, Lane] = {}
        self._in_flight: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.turns = Turns("sender")
        self._results = Results(transactions, self.credentials, metrics, clock, rng, self._done)
        transactions.in_flight = self._in_flight
        transactions.wants_help = self._wants_help
        transactions.follow(self._follow)

    async def load(self) -> int:
        """Read what waits and is not known here; gives how many rows. Every lease of an earlier start is void.

        On a shared database nothing is read here: what waits is looked for again and again.
        """
        if self._leases is not None:
            return 0
        after = count = 0
        while True:
            page = await self._transactions.read(partial(deliveries.live, after=after, limit=_PAGE))
            self.add(self.strangers(page))
            count += len(page)
            if len(page) < _PAGE:
                return count
            after = page[-1].id

    def add(self, lives: Iterable[Live]) -> None:
        """Deliveries that are committed and wait."""
        for live in lives:
            self._lane(live.channel).add(live)
            self.turns.wake()

    def waiting(self) -> dict[str, int]:
        """How many wait, by channel."""
        return {name: len(lane) for name, lane in self._lanes.items()}

    def parked(self) -> dict[str, int]:
        return {name: len(lane.parked) for name, lane in self._lanes.items() if lane.parked}

    def strangers(self, lives: Iterable[Live]) -> list[Live]:
        """Those of the deliveries that neither wait here nor are under way."""
        return [
            live for live in lives if live.id not in self._in_flight and not self._lane(live.channel).knows(live.id)
        ]

    def explains(self, channel: str, now: datetime, patience: timedelta) -> bool:
        """Whether it is right that something due waits: its channel cannot be used, is refused or paced, or was tried of late."""
        configured = self._transactions.generation().channels.get(channel)
        if configured is None or configured.channel is None:
            return True
        started = self._lane(channel).started_at
        if started is not None and now - started < patience + 2 * configured.options.timeout:
            return True
        return self.credentials.not_before(configured, now, now) > now

    def forget(self, jump: timedelta) -> None:
        """Drop what waits, whose times are of before the clock jumped; `load` brings it back."""
        self.credentials.shift(jump)
        for lane in self._lanes.values():
            lane.forget()
        self._looked_at = self._looked_at_parked = None

    async def run(self) -> None:
        """Until `stop`: one turn after the other, sleeping until something is due or added."""
        await self.turns.run(self._turn)

    async def _turn(self) -> float:
        now = self._clock.now()
        await self.step(now)
        return (self._next(now) - now).total_seconds()

    async def step(self, now: datetime) -> int:
        """Claim what is due and start the attempts; gives how many. Await `idle` for their end."""
        if self._leases is not None:
            await self._look(now)
        await self._hurry(now)
        taken: list[Live] = []
        for name, lane in self._lanes.items():
            taken += self._take(name, lane, now, self._free(len(taken)))
        if not taken:
            return 0
        self._in_flight.update(live.id for live in taken)
        asked_at = self._leases.now() if self._leases is not None else 0.0
        try:
            jobs = await self._claim(taken, now)
        except BaseException:
            for live in taken:
                self._done(live)
            present = self._clock.now()  # not their own time: the clock may have been set back
            self.add(replace(live, due_at=min(live.due_at, present)) for live in taken)
            raise
        if self._leases is not None:
            self._leases.claimed((live.id for live, job in zip(taken, jobs, strict=True) if job), asked_at)
        crashpoint("outbox.after_claim")
        generation = self._transactions.generation()
        for live, job in zip(taken, jobs, strict=True):
            self._begin(generation, live, job)
        return len(taken)

    async def _claim(self, taken: list[Live], now: datetime) -> list[Job | None]:
        """Together, and if that fails one by one, so that a delivery nobody can read stops no other."""
        try:
            return await self._transactions.write(now, lambda work: claim(work, [live.id for live in taken]))
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - whatever is wrong with one of them
            if len(taken) > 1:
                return [job for live in taken for job in await self._claim([live], now)]
            _log.exception("claim_failed", delivery=taken[0].id, again_in=_UNRECORDED.total_seconds())
            self.add([Live(taken[0].id, taken[0].incident, taken[0].channel, now + _UNRECORDED)])
            return [None]

    async def idle(self) -> None:
        """Wait until nothing is in flight and every outcome is committed."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await asyncio.sleep(0)  # the tasks' own callbacks take them out
        await self._results.settle()

    async def stop(self, grace: timedelta) -> None:
        """Claim no more, let what is in flight end within the grace, cut off the rest, and record it all.

        What a claim that is under way begins meanwhile has what is left of the grace.
        """
        self.turns.stop()
        end = time.monotonic() + grace.total_seconds()
        while self._tasks and (left := end - time.monotonic()) > 0:
            await asyncio.wait(self._tasks, timeout=left)
        for task in self._tasks:
            task.cancel()
        await self.idle()

    async def reloaded(self, now: datetime) -> None:
        """A new generation is in force: what was parked may have its channel back."""
        channels = self._transactions.generation().channels
        for name, lane in self._lanes.items():
            configured = channels.get(name)
            if lane.parked and configured is not None and configured.channel is not None:
                lives = lane.unpark()
                self._results.usable(name)
                try:
                    await self._transactions.write(now, partial(unpark, lives=lives, now=now))
                except BaseException:
                    lane.parked.extend(lives)
                    raise

    def _begin(self, generation: Generation, live: Live, job: Job | None) -> None:
        configured = generation.channels.get(live.channel)
        if job is None:
            if configured is not None:
                self.credentials.not_tried(configured)
            self._done(live)
        elif configured is None or configured.channel is None:
            self._results.park(live, job.claimed.epoch, configured.problem if configured else "")
        else:
            task = self._start(self._try(generation, configured, live, job))
            if self._leases is not None:
                self._leases.attempted(live.id, task)

    async def _try(self, generation: Generation, configured: ConfiguredChannel, live: Live, job: Job) -> None:
        attempted = await self._attempt.make(generation, configured, live, job, self._leases)
        self._results.attempted(attempted, configured.credential)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _done(self, live: Live, *, again: bool = False) -> None:
        self._in_flight.discard(live.id)
        if self._leases is not None:
            self._leases.done(live.id)
        self._lane(live.channel).done(live)
        if again:
            self.add([Live(live.id, live.incident, live.channel, self._clock.now() + _UNRECORDED)])
        self.turns.wake()

    def _follow(self, effects: Effects) -> None:
        self.add(effects.live)

    def _wants_help(self) -> bool:
        return sum(map(len, self._lanes.values())) > _PLENTY

    def look_soon(self) -> None:
        """Another bridge hinted that there is work."""
        self._hinted = True
        self.turns.wake()

    async def _look(self, now: datetime) -> None:
        """Take note of what waits in the rows and is not known here; what is parked may be ours to send."""
        every = _LOOK_WHEN_HINTED if self._hinted else _LOOK_EVERY
        if self._looked_at is not None and timedelta() <= now - self._looked_at < every:
            return
        self._looked_at, self._hinted = now, False
        channels = self._transactions.generation().channels
        hungry = [
            name
            for name, configured in channels.items()
            if configured.channel is not None and len(self._lane(name)) < _HINTS
        ]
        found = await self._transactions.read(lambda tx: replicas.claimable(tx, hungry, now + _LOOK_EVERY, _HINTS))
        if self._leads():
            left = now - _HOMELESS
            found += await self._transactions.read(lambda tx: replicas.homeless(tx, list(channels), left, _HINTS))
        self.add(self.strangers(found))
        await self._look_at_parked(now)

    async def _look_at_parked(self, now: datetime) -> None:
        if self._looked_at_parked is not None and timedelta() <= now - self._looked_at_parked < _LOOK_AT_PARKED_EVERY:
            return
        self._looked_at_parked = now
        found = await self._transactions.read(lambda tx: replicas.parked(tx, _PAGE))
        for lane in self._lanes.values():
            lane.parked.clear()
        self.add(found)
        if found:
            await self.reloaded(now)

    async def _hurry(self, now: datetime) -> None:
        """A channel that takes messages again need not wait for the next try of each."""
        recovered = self.credentials.recovered()
        channels = self._transactions.generation().channels
        names = [name for name, configured in channels.items() if configured.credential in recovered]
        for name in names:
            self._lane(name).hurry(now)
        if names and self._leases is not None:
            await self._transactions.write(now, lambda work: replicas.hurry(work.tx, names, now, _PAGE))

    def _free(self, taken: int = 0) -> int:
        """How many more attempts there may be over all channels."""
        return self._transactions.generation().config.max_in_flight - len(self._in_flight) - taken

    def _take(self, name: str, lane: Lane, now: datetime, free: int) -> list[Live]:
        due = lane.next_due()
        if due is None or due > now:
            return []
        configured = self._transactions.generation().channels.get(name)
        if configured is None or configured.channel is None:
            return lane.take(now, _PAGE)
        if self._gathers_until(configured, lane, free, now) > now:
            return []
        taken = lane.take(now, self.credentials.room(configured, lane.in_flight, free, now))
        if taken:
            self.credentials.started(configured, now)
        return taken

    def _next(self, now: datetime) -> datetime:
        """When the next turn has something to do, at the latest in a second."""
        upcoming = now + _IDLE
        channels = self._transactions.generation().channels
        for name, lane in self._lanes.items():
            due = lane.next_due()
            if due is None or due >= upcoming:
                continue
            configured = channels.get(name)
            if configured is not None:
                if self.credentials.full(configured, lane.in_flight, self._free()):
                    continue
                due = self.credentials.not_before(configured, due, now)
                due = max(due, self._gathers_until(configured, lane, self._free(), now))
            upcoming = min(upcoming, due)
        return upcoming

    def _gathers_until(self, configured: ConfiguredChannel, lane: Lane, free: int, now: datetime) -> datetime:
        """When to claim again, though there is room: on a shared database a claim is a transaction, and few big ones cost less.

        Half of what may be under way must have ended, or some time have passed since the last attempts began.
        """
        begun = lane.started_at
        if self._leases is None or begun is None or not self.credentials.full(configured, lane.in_flight * 2 - 1, free):
            return now
        return begun + _GATHERED if begun <= now else now

    def _lane(self, channel: str) -> Lane:
        lane = self._lanes.get(channel)
        if lane is None:
            lane = self._lanes[channel] = Lane()
        return lane
