"""What waits for one channel, in memory: the rows are the truth, this is their order."""

from __future__ import annotations

from datetime import datetime

from bridge.engine.waiting import Waiting
from bridge.storage.deliveries import Live

_REPLAYED_AT_ONCE = 16


class Lane:
    """Deliveries of one channel by due time. One incident has one delivery under way at a time, in order of their ids.

    Replayed ones go when nothing else is due, and hold a share of the attempts only: news need not wait for them.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.parked: list[Live] = []
        self._due = Waiting()
        self._replayed = Waiting(replayed=True)
        self._replayed_in_flight = 0
        self._busy: set[str] = set()
        self._behind: dict[str, list[Live]] = {}
        self._known: set[int] = set()
        self.started_at: datetime | None = None
        """When an attempt was last begun."""

    def __len__(self) -> int:
        return len(self._due) + len(self._replayed) + sum(map(len, self._behind.values()))

    def add(self, live: Live) -> None:
        if live.parked:
            self.parked.append(live)
        else:
            self._known.add(live.id)
            (self._replayed if live.replayed else self._due).push(live)

    def knows(self, delivery: int) -> bool:
        """Whether the delivery waits here."""
        return delivery in self._known

    def next_due(self) -> datetime | None:
        """When something may be taken, as far as its time is concerned."""
        due = self._due.first_due()
        if self._replayed_in_flight >= _REPLAYED_AT_ONCE:
            return due
        replayed = self._replayed.first_due()
        return replayed if due is None else due if replayed is None else min(due, replayed)

    def hurry(self, now: datetime) -> None:
        """The channel is well again: what waits for its next try need not wait longer."""
        self._due.hurry(now)

    def take(self, now: datetime, most: int) -> list[Live]:
        """At most `most` due deliveries, none two of one incident; they count as in flight until `done`."""
        taken = self._pull(self._due, now, most)
        if len(self._replayed):
            share = _REPLAYED_AT_ONCE - self._replayed_in_flight
            replayed = self._pull(self._replayed, now, min(most - len(taken), share))
            self._replayed_in_flight += len(replayed)
            taken += replayed
        self.in_flight += len(taken)
        if taken:
            self.started_at = now
        return taken

    def _pull(self, waiting: Waiting, now: datetime, most: int) -> list[Live]:
        taken: list[Live] = []
        while len(taken) < most and (due := waiting.first_due()) is not None and due <= now:
            live = waiting.pop()
            if live.incident and live.incident in self._busy:
                self._behind.setdefault(live.incident, []).append(live)
                continue
            if live.incident:
                self._busy.add(live.incident)
            self._known.discard(live.id)
            taken.append(live)
        return taken

    def done(self, live: Live) -> None:
        """The delivery's outcome is committed, or it was not tried; what waited behind it may go."""
        self.in_flight -= 1
        self._replayed_in_flight -= live.replayed
        self._busy.discard(live.incident)
        for behind in self._behind.pop(live.incident, ()):
            self.add(behind)

    def forget(self) -> None:
        """Drop what waits or is parked; what is under way stays."""
        self._due, self._replayed = Waiting(), Waiting(replayed=True)
        self._behind.clear()
        self._known.clear()
        self.parked.clear()
        self.started_at = None

    def unpark(self) -> list[Live]:
        parked, self.parked = self.parked, []
        return parked
