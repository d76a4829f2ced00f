"""The machine's clock was set, or is wrong: what waits keeps what was left of its wait, and nothing happens at once.

On a database of our own the rows are moved along with the clock. On one that others share the database's clock decides
whose clock is wrong, and no row is touched.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from bridge.domain.audit import Kind
from bridge.domain.clock import SteadyClock
from bridge.engine import drills, outbox
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics
from bridge.storage import watch

_LOOK_EVERY = 1.0
_REMEMBERED = 300.0
_BETWEEN_STARTS = timedelta(minutes=1)
_BETWEEN_MACHINES = timedelta(seconds=5)
_log = structlog.get_logger("bridge.clock")


class Waits(Protocol):
    """Whoever keeps times in memory."""

    def forget(self, jump: timedelta) -> None:
        """Drop what waits, and move along what else is known."""

    def load(self) -> Awaitable[int]:
        """Read what waits from the rows, besides what is known."""


class Jumps:
    """The loop that follows the clock; `step` is one look. `differs` says that the database's clock is another."""

    def __init__(
        self, clock: SteadyClock, transactions: Transactions, waits: Waits, metrics: Metrics, *, shared: bool
    ) -> None:
        self._clock = clock
        self._transactions = transactions
        self._waits = waits
        self._metrics = metrics
        self._shared = shared
        self._owed = timedelta()
        self._forgotten = False
        self._untold = ""
        self._last: tuple[float, str] | None = None
        self.differs = ""
        self.turns = Turns("clock")
        transactions.mend = clock.mend

    @property
    def jumped(self) -> str:
        """The last jump, for five minutes."""
        if self._last is None or self._clock.seconds() - self._last[0] > _REMEMBERED:
            return ""
        return f"the clock jumped {self._last[1]}"

    async def begin(self, last: datetime | None) -> None:
        """Before anything runs: the clock may have been set back while the bridge was stopped.

        `last` is when the last audit record of the start before was written, None if there is none.

        Raises:
            StorageError: not now.
        """
        if self._shared:
            there = await self._transactions.read(watch.database_now)
            if there is not None and abs(there - self._clock.now()) > _BETWEEN_MACHINES:
                self._clock.adopt(there - self._clock.now())
            return
        if last is not None and self._clock.now() < last - _BETWEEN_STARTS:
            self._owed = self._clock.now() - last
            await self._move_rows("while_stopped")

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def _turn(self) -> float:
        await self.step()
        return _LOOK_EVERY

    async def step(self) -> None:
        """Follow the clock if it jumped; what cannot be done now is done at the next look.

        Raises:
            StorageError: not now.
        """
        jump = self._clock.jump()
        if self._shared:
            await self._ask_the_database(jump)
        elif self._owed:
            await self._move_rows("backward")
        elif jump > timedelta():
            await self._forward(jump)
        elif jump < timedelta():
            self._adopt(jump)  # first: by the new time nothing is due before its row is moved
            self._owed = jump
            await self._move_rows("backward")
        await self._finish()

    async def _forward(self, jump: timedelta) -> None:
        """Rows first: moved along they are not due by the old time, and by the new one as due as they were."""
        self._clock.expect(jump)
        self._owed = jump
        try:
            await self._move_rows("forward")
        except BaseException:
            self._owed = timedelta()
            self._clock.give_up()
            raise
        self._adopt(jump)

    def _adopt(self, jump: timedelta) -> None:
        self._waits.forget(jump)
        self._forgotten = True
        self._clock.adopt(jump)

    async def _move_rows(self, reason: str) -> None:
        jump = self._owed

        async def decision(work: Work) -> str:
            ended_since = work.now - jump - work.generation.config.reopen_within
            moved = await watch.shift(work.tx, jump, ended_since)
            await drills.follow_clock(work)
            text = f"{span(jump)}; {moved.deliveries} deliveries and {moved.timers} timers were moved along"
            work.record(Kind.CLOCK_JUMPED, reason=reason, detail=text)
            return text

        self._note(await self._transactions.write(self._clock.now(), decision))
        self._owed = timedelta()

    async def _finish(self) -> None:
        if self._forgotten and not self._owed:
            await self._waits.load()
            self._forgotten = False
        if self._untold:
            text = f"the clock of the bridge's machine jumped {self._untold}."
            await self._transactions.write(self._clock.now(), lambda work: outbox.notice(work, text))
            self._untold = ""

    async def _ask_the_database(self, jump: timedelta) -> None:
        if not jump:
            self.differs = ""
            return
        there = await self._transactions.read(watch.database_now)
        here = self._clock.now()
        if there is None or abs(there - here) <= abs(there - here - jump):
            if not self.differs:
                _log.error("clock_differs", by=str(jump))
            self.differs = f"this machine's clock is {span(jump)} off; the database's time counts"
            return
        text = f"{span(jump)}, to the time of the database"

        async def decision(work: Work) -> None:
            work.record(Kind.CLOCK_JUMPED, reason="to_the_database", detail=text)
            await drills.follow_clock(work)

        self._clock.expect(jump)  # first the rows: by the new time a drill under way may have failed
        try:
            await self._transactions.write(here, decision)
        except BaseException:
            self._clock.give_up()
            raise
        self._adopt(jump)
        self._note(text)

    def _note(self, text: str) -> None:
        self._metrics.clock_jumps.inc()
        self._last = (self._clock.seconds(), text)
        self._untold = text
        _log.warning("clock_jumped", text=text)


def span(jump: timedelta) -> str:
    """A jump for people: `forward by 1:00:00`."""
    seconds = timedelta(seconds=round(abs(jump).total_seconds()))
    return f"{'forward' if jump > timedelta() else 'backward'} by {seconds}"
