"""What watches the bridge from inside, put together: the clock, the loop's pulse, the looks, the words, the heartbeat."""

from __future__ import annotations

import random
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime

import structlog

from bridge.app.parts import Parts
from bridge.app.stages import Stages
from bridge.app.watchdog import LoopPulse, thread_of, where
from bridge.domain.clock import Clock, SteadyClock
from bridge.engine.announce import Announcer
from bridge.engine.attempt import Attempt
from bridge.engine.heartbeat import Heartbeats
from bridge.engine.jumps import Jumps
from bridge.engine.look import Inside, Look
from bridge.engine.turns import Turns
from bridge.engine.views import Trouble
from bridge.engine.watch import Bounds, Concern
from bridge.engine.watcher import Watcher
from bridge.observe.metrics import Metrics
from bridge.secrets.instance import InstanceKeys
from bridge.storage.database import Database
from bridge.storage.sqlite import SqliteDatabase

BOUNDS = Bounds()
_log = structlog.get_logger("bridge.watch")


class SelfWatch:
    """Made with the bridge, begun before anything runs, started last and stopped first."""

    def __init__(
        self,
        database: Database,
        parts: Parts,
        keys: InstanceKeys,
        clock: Clock,
        metrics: Metrics,
        redact: Callable[[str], str],
        *,
        checkpoint_due: Callable[[datetime], Awaitable[bool]],
        ready: Callable[[], Awaitable[bool]],
    ) -> None:
        self._parts = parts
        self._metrics = metrics
        self._database = database
        self.lost: Callable[[], None] = _nothing
        """Called when nothing can be kept any more, and only a new process can help."""
        self._pulse = LoopPulse()
        transactions, sender = parts.transactions, parts.sender
        self._jumps = (
            Jumps(clock, transactions, sender, metrics, shared=database.shared)
            if isinstance(clock, SteadyClock)
            else None
        )
        inside = Inside(self._turns, checkpoint_due, self._writer_alive, self._worst_lag, self._jumps)
        rng = random.SystemRandom()
        self._heartbeats = Heartbeats(transactions.generation, metrics, redact)
        self._watcher = Watcher(
            Look(transactions, sender, inside, metrics, BOUNDS),
            Announcer(transactions, Attempt(keys, clock, redact), clock, rng),
            self._heartbeats,
            clock,
            BOUNDS,
            ready=ready,
            lost=self._give_up,
            leads=parts.leads,
            name=socket.gethostname() if database.shared else "",
        )

    async def begin(self, last: datetime | None) -> None:
        """Before anything runs; `last` is when the last record of an earlier start was written.

        Raises:
            StorageError: not now.
        """
        if self._jumps is not None:
            await self._jumps.begin(last)

    def feel(self, pulse: LoopPulse) -> None:
        """From now on the lag of the loop is what this pulse measures."""
        self._pulse = pulse
        pulse.observe = self._metrics.loop_lag_seconds.observe

    def start(self, stages: Stages) -> None:
        stages.start(watch=self._watcher.run)
        if self._jumps is not None:
            stages.start(clock=self._jumps.run)

    async def stop(self) -> None:
        """What stands still from now on does so on purpose."""
        if self._jumps is not None:
            self._jumps.stop()
        await self._watcher.stop()

    def troubles(self) -> tuple[Trouble, ...]:
        return self._watcher.troubles()

    def count(self, troubles: Iterable[Trouble]) -> None:
        """Set the gauge of troubles; what the watch knows of is always shown."""
        counts = Counter(trouble.what for trouble in troubles)
        self._metrics.set_troubles({**dict.fromkeys((concern.value for concern in Concern), 0), **counts})

    def _turns(self) -> Sequence[Turns]:
        clock = (self._jumps.turns,) if self._jumps is not None else ()
        return (*self._parts.turns(), *clock)

    def _worst_lag(self) -> float:
        return self._pulse.worst()

    def _give_up(self) -> None:
        _log.critical("nothing_can_be_kept", writer=where(thread_of("writer")))
        self.lost()

    def _writer_alive(self) -> bool:
        return self._database.writer_alive if isinstance(self._database, SqliteDatabase) else True


def _nothing() -> None:
    return
