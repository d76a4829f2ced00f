"""What waits for one channel, in memory: the rows are the truth, this is their order."""

from __future__ import annotations

import heapq
from datetime import datetime

from bridge.storage.deliveries import Live


class Lane:
    """Deliveries of one channel by due time. One incident has one delivery under way at a time, in order of their ids."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.parked: list[Live] = []
        self._due: list[tuple[datetime, int, Live]] = []
        self._busy: set[str] = set()
        self._behind: dict[str, list[Live]] = {}
        self._known: set[int] = set()

    def __len__(self) -> int:
        return len(self._due) + sum(map(len, self._behind.values()))

    def add(self, live: Live) -> None:
        if live.parked:
            self.parked.append(live)
        else:
            self._known.add(live.id)
            heapq.heappush(self._due, (live.due_at, live.id, live))

    def knows(self, delivery: int) -> bool:
        """Whether the delivery waits here."""
        return delivery in self._known

    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    def take(self, now: datetime, most: int) -> list[Live]:
        """At most `most` due deliveries, none two of one incident; they count as in flight until `done`."""
        taken: list[Live] = []
        while self._due and len(taken) < most and self._due[0][0] <= now:
            live = heapq.heappop(self._due)[2]
            if live.incident and live.incident in self._busy:
                self._behind.setdefault(live.incident, []).append(live)
                continue
            if live.incident:
                self._busy.add(live.incident)
            self._known.discard(live.id)
            taken.append(live)
        self.in_flight += len(taken)
        return taken

    def done(self, live: Live) -> None:
        """The delivery's outcome is committed, or it was not tried; what waited behind it may go."""
        self.in_flight -= 1
        self._busy.discard(live.incident)
        for behind in self._behind.pop(live.incident, ()):
            self.add(behind)

    def unpark(self) -> list[Live]:
        parked, self.parked = self.parked, []
        return parked
