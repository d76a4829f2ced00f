"""Slowing down those who guess credentials, and nobody else."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from bridge.http.limits import Limits

_ADDRESSES = 4096


class FailurePace:
    """Decides how late a failed authentication is answered.

    Each address has some free failures, which come back with time; beyond them its *failures* are answered late.
    A right credential is never delayed, whatever else comes from its address: senders behind one proxy share it.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._waiting = 0

    def failed(self, address: str) -> float:
        """Count one failure from an address; how many seconds its answer should wait."""
        now = self._clock()
        spent, since = self._spent.pop(address, (0.0, now))
        spent = max(0.0, spent - (now - since) / self._limits.failure_refill) + 1
        self._spent[address] = (min(spent, 2.0 * self._limits.free_failures), now)
        if len(self._spent) > _ADDRESSES:
            self._spent.popitem(last=False)
        return self._limits.failure_delay if spent > self._limits.free_failures else 0.0

    async def hold(self, address: str) -> bool:
        """Wait as long as a failure from this address deserves. False if too many wait: close the connection."""
        delay = self.failed(address)
        if not delay:
            return True
        if self._waiting >= self._limits.delayed:
            return False
        self._waiting += 1
        try:
            await asyncio.sleep(delay)
        finally:
            self._waiting -= 1
        return True
