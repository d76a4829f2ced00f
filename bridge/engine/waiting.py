"""Deliveries in order of their due times, in as little memory as will do: a backlog may be long.

An entry is one byte string of about 80 bytes, which the garbage collector need not look at; kept as values it would be
four times as much.
"""

from __future__ import annotations

import heapq
from datetime import datetime
from struct import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.deliveries import Live

_KEY = Struct(">QQ")  # compares as the pair of numbers does


class Waiting:
    """The deliveries of one channel, either all `replayed` or none; the first is the one that is due first, of several
    the one with the lowest id.
    """

    def __init__(self, *, replayed: bool = False) -> None:
        self._replayed = replayed
        self._channel = ""
        self._heap: list[bytes] = []

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, live: Live) -> None:
        self._channel = live.channel
        heapq.heappush(self._heap, _KEY.pack(max(0, micros(live.due_at)), live.id) + live.incident.encode())

    def first_due(self) -> datetime | None:
        """When the first is due; None if there is none."""
        return moment(_KEY.unpack_from(self._heap[0])[0]) if self._heap else None

    def hurry(self, now: datetime) -> None:
        """All of it is due now, in the order of the ids: what was planned first goes first."""
        due = _KEY.pack(max(0, micros(now)), 0)[:8]
        self._heap = sorted(due + entry[8:] for entry in self._heap)

    def pop(self) -> Live:
        entry = heapq.heappop(self._heap)
        due, delivery = _KEY.unpack_from(entry)
        return Live(delivery, entry[_KEY.size :].decode(), self._channel, moment(due), replayed=self._replayed)
