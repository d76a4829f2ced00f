"""One look of the bridge at itself: loops, rows, commits, clock. What it cannot see in time is a finding of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.errors import BridgeError
from bridge.engine.jumps import Jumps
from bridge.engine.sender import Sender
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.watch import Bounds, Seen, Stage, Stuck
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics
from bridge.storage import deliveries, journal, watch
from bridge.storage.deliveries import Live
from bridge.storage.transaction import Tx
from bridge.storage.watch import Oldest

_PATIENCE = 5.0
_SAMPLE_EVERY = 5.0
_SHARE = 100
_SAMPLE_AT_LEAST_EVERY = 120.0
_ASLEEP = 5.0
_LOOKED_AT = 200
_PROBE = "last_probe"
_HANGS = "a commit does not come to an end"


class Inside(Struct, frozen=True):
    """What is asked of the rest of the bridge. `lag` is how late the event loop was at worst of late, in seconds."""

    turns: Callable[[], Sequence[Turns]]
    checkpoint_due: Callable[[datetime], Awaitable[bool]]
    writer_alive: Callable[[], bool]
    lag: Callable[[], float]
    jumps: Jumps | None = None


class Look:
    """Keeps what must be compared from look to look. Time in which this process did not run does not count."""

    def __init__(
        self,
        transactions: Transactions,
        sender: Sender,
        inside: Inside,
        metrics: Metrics,
        bounds: Bounds,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transactions = transactions
        self._sender = sender
        self._inside = inside
        self._metrics = metrics
        self._bounds = bounds
        self._monotonic = monotonic
        self._awake_since = self._looked_at = monotonic()
        self._sample_at = self._awake_since
        self._same: dict[str, tuple[datetime, float]] = {}
        self._still: dict[str, float] = {}
        self._stuck: tuple[Stuck, ...] = ()
        self._unsigned = False
        self._unreadable = ""

    async def look(self, now: datetime, heartbeat: str) -> Seen:
        """What there is to see at this moment; `heartbeat` is the heartbeat's own problem."""
        awake = self._awake(self._monotonic())
        stages = tuple(
            Stage(turns.name, min(turns.still_for(), awake), turns.problem) for turns in self._inside.turns()
        )
        for stage in stages:
            self._metrics.set_still(stage.name, stage.still)
        uncommitted = await self._try_a_commit(now)
        if self._monotonic() >= self._sample_at:
            await self._sample(now)
        jumps = self._inside.jumps
        at = self._looked_at = self._monotonic()
        return Seen(
            stages=stages,
            stuck=self._stuck,
            request=self._still.get("", 0.0),
            timers=self._still,
            unsigned=self._unsigned,
            commit=min(at - self._transactions.committed_at, awake),
            database=uncommitted or self._unreadable,
            hangs=uncommitted == _HANGS and not self._transactions.owner,
            writer_alive=self._inside.writer_alive(),
            lag=self._inside.lag(),
            clock=jumps.differs if jumps else "",
            jumped=jumps.jumped if jumps else "",
            heartbeat=heartbeat,
        )

    def _awake(self, at: float) -> float:
        """For how long this process has been running without a break."""
        if at - self._looked_at > _ASLEEP:
            self._awake_since = at
            self._forget()
        return at - self._awake_since

    async def _try_a_commit(self, now: datetime) -> str:
        """Why nothing can be committed; an idle bridge finds out by trying."""
        transactions = self._transactions
        if not transactions.failing and self._monotonic() - transactions.committed_at < self._bounds.idle:
            return ""

        async def probe(work: Work) -> None:
            await journal.set_fact(work.tx, _PROBE, work.now.isoformat())

        try:
            async with asyncio.timeout(_PATIENCE):
                await transactions.write(now, probe)
        except TimeoutError:
            return _HANGS
        except BridgeError as error:
            return f"it does not commit: {error}"
        return ""

    async def _sample(self, now: datetime) -> None:
        """Look into the rows; seldom enough to take no more than a hundredth of a reader's time."""
        began = self._monotonic()
        try:
            async with asyncio.timeout(_PATIENCE):
                oldest = await self._transactions.read(lambda tx: watch.oldest(tx, now))
                self._stuck = await self._stuck_now(oldest, now)
                self._unsigned = await self._inside.checkpoint_due(now)
            self._unreadable = ""
        except (BridgeError, TimeoutError) as error:
            self._unreadable = f"it cannot be read: {str(error) or 'no answer'}"
            self._forget()
            took = 0.0
        else:
            self._compare(oldest, now)
            took = self._monotonic() - began
        pause = max(min(_SAMPLE_EVERY, self._bounds.queue / 5), _SHARE * took)
        self._sample_at = self._monotonic() + min(pause, _SAMPLE_AT_LEAST_EVERY)

    def _forget(self) -> None:
        """What was seen says nothing about now."""
        self._same, self._still, self._stuck, self._unsigned = {}, {}, (), False

    def _compare(self, oldest: Oldest, now: datetime) -> None:
        """What was the oldest before and still is stands still; what makes progress is only late."""
        due = {**oldest.timers, **({"": oldest.request} if oldest.request is not None else {})}
        at = self._monotonic()
        same = {}
        for name, moment in due.items():
            before = self._same.get(name)
            same[name] = before if before is not None and before[0] == moment else (moment, at)
        self._same = same
        self._still = {name: at - since for name, (_due, since) in same.items()}
        self._measure(oldest, now)

    def _measure(self, oldest: Oldest, now: datetime) -> None:
        def age(moments: Mapping[str, datetime], *names: str) -> float:
            wanted = [moments[name] for name in names or moments if name in moments]
            return max(0.0, (now - min(wanted)).total_seconds()) if wanted else 0.0

        self._metrics.set_queue_age("deliveries", age(oldest.deliveries))
        self._metrics.set_queue_age("steps", age(oldest.timers, "step"))
        self._metrics.set_queue_age("judgements", age(oldest.timers, "flush", "alert", "group", "silence"))
        self._metrics.set_queue_age("requests", age({"": oldest.request} if oldest.request else {}))

    async def _stuck_now(self, oldest: Oldest, now: datetime) -> tuple[Stuck, ...]:
        """The channels whose deliveries nothing holds back."""
        patience = timedelta(seconds=self._bounds.queue)
        awake = self._monotonic() - self._awake_since
        found = []
        for channel, due in oldest.deliveries.items():
            seconds = min((now - due).total_seconds(), awake)
            if seconds <= self._bounds.queue:
                continue
            lost = await self._lost(channel, now - patience)
            self._sender.add(lost)
            if lost or not self._sender.explains(channel, now, patience):
                found.append(Stuck(channel, seconds, len(lost)))
        return tuple(found)

    async def _lost(self, channel: str, before: datetime) -> list[Live]:
        """What waits in the rows and nobody knows of: asked twice, because what is under way may just have ended."""

        async def still_pending(tx: Tx) -> list[Live]:
            stored = [(live, await deliveries.get(tx, live.id)) for live in strangers]
            return [live for live, row in stored if row is not None and row.state == "pending"]

        found = await self._transactions.read(lambda tx: watch.due_before(tx, channel, before, _LOOKED_AT))
        strangers = self._sender.strangers(found)
        if not strangers or self._transactions.owner:
            return []  # on a shared database the sender looks into the rows itself
        return self._sender.strangers(await self._transactions.read(still_pending))
