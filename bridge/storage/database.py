"""What the engine asks of a database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from bridge.storage.transaction import AuditSink, Expected, Unit

T = TypeVar("T")


class Database(Protocol):
    """An open database. Units of one database never interleave, on however many bridges they run.

    `shared`: other bridges may work on it at the same time, so that a claim is a lease in the row. On a database of our
    own a claim is memory only. `migrated`: the schema's number before and after the opening.
    """

    @property
    def shared(self) -> bool: ...

    @property
    def name(self) -> str:
        """How the database is named to people: a file's name or a server's, never a password."""
        ...

    @property
    def migrated(self) -> tuple[int, int]: ...

    def full(self) -> str:
        """Why no request may be taken though what was accepted can still be recorded; empty if there is room."""
        ...

    def chain(self, sink: AuditSink) -> None:
        """Where audit records go from now on. Call it before the first unit that records anything."""
        ...

    async def write(
        self, unit: Unit[T], committed: Callable[[T], None] | None = None, expects: Sequence[Expected] = ()
    ) -> T:
        """Run a unit with others in one transaction, and return its result after the commit.

        A unit may run twice (when another of its group fails), so it must change nothing but the transaction. Whoever
        is cancelled while waiting withdraws a unit that has not begun. One that has begun may still be committed:
        `committed` is called with its result, on the event loop, whether or not anybody still waits.

        `expects` is what the unit will probably look at. Where a look is a round trip, those of a whole group are made
        together beforehand; what is not looked at after all costs little, and what is missing is looked at then.

        Raises:
            StorageBusy: not now. Nothing was stored, or it is unknown whether it was.
            StorageFatal: the database can no longer be trusted.
            Whatever the unit raises; then nothing of it was stored.
        """
        ...

    async def read(self, unit: Unit[T]) -> T:
        """Run a unit that only reads, on the last committed state, beside the writer.

        Raises:
            StorageBusy: not now.
            StorageFatal: the database can no longer be trusted.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued, and let go of the database."""
        ...
