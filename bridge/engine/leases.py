"""What this bridge has claimed on a database that others share, kept by renewing it.

A claim is a lease of 12 s by the database's clock, renewed every 4 s. A bridge that could not renew for 8 s lets go by
itself, well before another may take over; one that was stopped and continued finds its claims too old to send.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import timedelta

import structlog

from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import StorageError
from bridge.engine.claim import LEASE
from bridge.engine.transactions import Transactions
from bridge.engine.turns import Turns
from bridge.storage import replicas

RENEW = timedelta(seconds=4)
TRUSTED = timedelta(seconds=8)
_log = structlog.get_logger("bridge.leases")


class Leases:
    """The claims of one bridge. Times are monotonic seconds, of the moment before the claim was asked for."""

    def __init__(
        self, owner: str, transactions: Transactions, clock: Clock, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.owner = owner
        self._transactions = transactions
        self._clock = clock
        self._monotonic = monotonic
        self._since: dict[int, float] = {}
        self._attempts: dict[int, asyncio.Task[None]] = {}
        self.turns = Turns("leases")

    def now(self) -> float:
        return self._monotonic()

    def claimed(self, deliveries: Iterable[int], asked_at: float) -> None:
        """The deliveries are ours, as of the moment the claim was asked for."""
        for delivery in deliveries:
            self._since[delivery] = asked_at

    def attempted(self, delivery: int, attempt: asyncio.Task[None]) -> None:
        """The attempt to cut off if the claim is lost."""
        self._attempts[delivery] = attempt

    def done(self, delivery: int) -> None:
        self._since.pop(delivery, None)
        self._attempts.pop(delivery, None)

    def holds(self, delivery: int) -> bool:
        """Whether the claim may still be acted upon."""
        since = self._since.get(delivery)
        return since is not None and self._monotonic() - since < TRUSTED.total_seconds()

    async def run(self) -> None:
        """Until `stop`."""
        await self.turns.run(self._turn)

    def stop(self) -> None:
        self.turns.stop()

    async def _turn(self) -> float:
        await self.step()
        return RENEW.total_seconds() / 2

    async def step(self) -> None:
        """Renew what is older than the time to renew; cut off what could not be renewed for too long."""
        asked_at = self._monotonic()
        old = [delivery for delivery, since in self._since.items() if asked_at - since >= RENEW.total_seconds()]
        if old:
            try:
                await self._renew(old, asked_at)
            except StorageError as error:
                _log.warning("leases_not_renewed", deliveries=len(old), error=str(error))
        for delivery in [delivery for delivery in old if delivery in self._since and not self.holds(delivery)]:
            self._cut_off(delivery)

    async def _renew(self, old: list[int], asked_at: float) -> None:
        crashpoint("lease.renew")
        kept = await self._transactions.write(
            self._clock.now(), lambda work: replicas.renew(work.tx, old, self.owner, LEASE)
        )
        for delivery in old:
            if delivery not in self._since:
                continue
            if delivery in kept:
                self._since[delivery] = asked_at
            else:
                self._cut_off(delivery)

    def _cut_off(self, delivery: int) -> None:
        """The claim may be another's by now: what is under way must not go on."""
        self._since.pop(delivery, None)
        attempt = self._attempts.pop(delivery, None)
        if attempt is not None:
            _log.warning("lease_lost", delivery=delivery)
            attempt.cancel()
