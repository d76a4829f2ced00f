"""Units of the engine's work: each in the generation in force, its effects carried out once it is committed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from bridge.domain.errors import StorageBusy, StorageError
from bridge.engine.generation import Generation
from bridge.engine.on_call import OnCallBook
from bridge.engine.work import NO_SILENCES, Effects, Work
from bridge.storage.database import Database
from bridge.storage.transaction import Expected, Tx, Unit

T = TypeVar("T")
Decision = Callable[[Work], Awaitable[T]]


class Units(Protocol):
    """What decides and reads: `Transactions`, or what stands before them."""

    async def write(self, now: datetime, decision: Decision[T], expects: Sequence[Expected] = ()) -> T: ...
    async def read(self, unit: Unit[T]) -> T: ...


class Transactions:
    """The engine's way to the database.

    A decision may run twice if its group is rolled back, so its effects are those of the run that was committed.
    """

    def __init__(self, database: Database, generation: Generation) -> None:
        self.in_flight: Collection[int] = frozenset()
        self.owner = ""
        """This bridge's name in the leases of a shared database; empty on a database of our own."""
        self.in_doubt_through = 0
        """The newest delivery that may have been under way when a bridge died; see `engine/doubt.py`."""
        self.silences = NO_SILENCES
        """The silences in force."""
        self.on_call = OnCallBook(lambda: self._generation.config)
        """Who is on call, with what calendars say."""
        self.refresh_silences: Callable[[], Awaitable[None]] = _nothing
        """Reads the silences that other bridges on a shared database may have changed."""
        self.wants_help: Callable[[], bool] = lambda: False
        """Whether other bridges on a shared database should hear of new deliveries at once."""
        self.mend: Callable[[datetime], datetime] = _as_it_is
        """Puts a moment that was read before the clock jumped into the time after it."""
        self.committed_at = time.monotonic()
        """When the last commit came to an end, in monotonic seconds."""
        self.failing = ""
        """Why the last unit could not be committed; empty since one was."""
        self._database = database
        self._generation = generation
        self._closed = False
        self._followers: list[Callable[[Effects], None]] = []

    def generation(self) -> Generation:
        return self._generation

    def swap(self, generation: Generation) -> None:
        """From now on; units already queued keep the generation they were queued with."""
        self._generation = generation

    def follow(self, follower: Callable[[Effects], None]) -> None:
        """Call `follower` with the effects of every committed transaction."""
        self._followers.append(follower)

    def close(self) -> None:
        """Decide nothing more: the record of the stop, which comes next, is the last of its chain."""
        self._closed = True

    async def write(self, now: datetime, decision: Decision[T], expects: Sequence[Expected] = ()) -> T:
        """Run a decision in a transaction; its result after the commit. `expects`: see `Database.write`.

        Raises:
            StorageBusy, StorageFatal: see `Database.write`; busy after `close`, too.
        """
        if self._closed:
            raise StorageBusy("the bridge is stopping")
        generation = self._generation
        moment = self.mend(now)
        in_flight, owner, shifts = self.in_flight, self.owner, self.on_call.shifts

        async def unit(tx: Tx) -> tuple[T, Effects]:
            work = Work(tx, generation, moment, in_flight, owner, self.in_doubt_through, self.silences, shifts)
            result = await decision(work)
            if owner and work.effects.live and self.wants_help():
                tx.hint()
            return result, work.effects

        try:
            result, _effects = await self._database.write(unit, self._committed, expects)
        except StorageError as error:
            self.failing = str(error)
            raise
        return result

    def _committed(self, done: tuple[object, Effects]) -> None:
        """Carry the effects out, also where whoever asked has given up waiting."""
        self.committed_at, self.failing = time.monotonic(), ""
        for follower in self._followers:
            follower(done[1])

    def full(self) -> str:
        """Why no request may be taken though what was accepted can still be recorded; empty if there is room."""
        return self._database.full()

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on the last committed state."""
        return await self._database.read(unit)


def _as_it_is(moment: datetime) -> datetime:
    return moment


async def _nothing() -> None:
    """There is nobody else."""
