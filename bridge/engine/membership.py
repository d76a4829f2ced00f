"""One bridge among those that share a database: it says that it is there, and learns whether it leads.

The leader alone does what is to be done once for all: checkpoints, retention, giving up, notices about the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from bridge.domain.clock import Clock
from bridge.domain.errors import StorageError
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.engine.work import Work
from bridge.storage import replicas
from bridge.storage.replicas import Replica

BEAT = timedelta(seconds=4)
SPAN = timedelta(seconds=12)
TRUSTED = timedelta(seconds=8)
_log = structlog.get_logger("bridge.membership")


class Membership:
    """`leads` and `others` are as of the last beat; a bridge that cannot beat leads no more after 8 s."""

    def __init__(
        self,
        replica: Replica,
        transactions: Transactions,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._replica = replica
        self._transactions = transactions
        self._clock = clock
        self._monotonic = monotonic
        self._started_at = clock.now()
        self._led_at: float | None = None
        self._present: tuple[Replica, ...] = (replica,)
        self.turns = Turns("membership")

    def leads(self) -> bool:
        return self._led_at is not None and self._monotonic() - self._led_at < TRUSTED.total_seconds()

    def present(self) -> tuple[Replica, ...]:
        """The bridges that are there, this one included."""
        return self._present

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def step(self, now: datetime) -> None:
        """Say that we are there, and take or keep the lead if it is free."""
        asked_at = self._monotonic()

        async def decision(work: Work) -> tuple[bool, list[Replica]]:
            await replicas.beat(work.tx, self._replica, self._started_at, SPAN)
            return await replicas.lead(work.tx, self._replica.id, SPAN), await replicas.present(work.tx)

        leading, present = await self._transactions.write(now, decision)
        if leading != self.leads():
            _log.info("leading" if leading else "following", replica=self._replica.id, present=len(present))
        self._led_at = asked_at if leading else None
        self._present = tuple(present)

    async def leave(self, now: datetime) -> None:
        """An orderly stop: another may lead at once."""
        self._led_at = None
        try:
            await self._transactions.write(now, lambda work: replicas.gone(work.tx, self._replica.id))
        except StorageError as error:
            _log.warning("leave_not_recorded", error=str(error))

    async def _turn(self) -> float:
        await self.step(self._clock.now())
        return BEAT.total_seconds()
