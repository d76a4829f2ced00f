"""A decision that is carried out once, however often it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from bridge.domain.errors import BridgeError, Conflict, NotFound
from bridge.engine.transactions import Decision, Units
from bridge.engine.work import Work
from bridge.storage import asked
from bridge.storage.transaction import Expected, Unit

T = TypeVar("T")


class Repeated(BridgeError):  # noqa: N818 - reads as what it reports
    """This was asked for before, and is done."""


class Once:
    """Transactions in which a key is noted with what is done under it, in one commit.

    A decision that raises NotFound or Conflict has changed nothing; its key is noted all the same, so that a repetition
    of what was refused does not succeed later.
    """

    def __init__(self, units: Units, channel: str, key: str) -> None:
        self._units = units
        self._channel = channel
        self._key = key

    async def write(self, now: datetime, decision: Decision[T], expects: Sequence[Expected] = ()) -> T:
        """As `Transactions.write`.

        Raises:
            Repeated: what is asked under this key is done.
        """
        refusal: NotFound | Conflict | None = None

        async def guarded(work: Work) -> list[T]:
            nonlocal refusal
            refusal = None
            if not await asked.first_time(work.tx, self._channel, self._key, work.now):
                raise Repeated("this was asked before")
            try:
                return [await decision(work)]
            except (NotFound, Conflict) as error:
                refusal = error
                return []

        done = await self._units.write(now, guarded, expects)
        if refusal is not None:
            raise refusal
        return done[0]

    async def read(self, unit: Unit[T]) -> T:
        return await self._units.read(unit)
