"""Word of the bridge about itself goes to the fallback, past whatever of the bridge stands still."""

from __future__ import annotations

import asyncio
import random
from datetime import datetime

from msgspec import Struct

from bridge.domain.clock import Clock
from bridge.domain.errors import BridgeError
from bridge.domain.message import Reason
from bridge.domain.moment import micros
from bridge.engine import outbox
from bridge.engine.attempt import Attempt
from bridge.engine.claim import Job, claim
from bridge.engine.generation import ConfiguredChannel
from bridge.engine.outcome import Attempted, record, record_sent
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import deliveries
from bridge.storage.deliveries import Claimed, Live

_COMMIT_SECONDS = 5.0


class UntoldError(BridgeError):
    """The fallback did not hear of it; to be tried again."""


class Word(Struct):
    """What is to be told. `about` names the channel it is about, which is not used; `delivery` its row, once it has one."""

    text: str
    since: datetime
    about: str = ""
    delivery: int = 0


class Announcer:
    """Tells the fallback: by a delivery like any other, or where the sender or the database stands still, by itself."""

    def __init__(self, transactions: Transactions, attempt: Attempt, clock: Clock, rng: random.Random) -> None:
        self._transactions = transactions
        self._attempt = attempt
        self._clock = clock
        self._rng = rng

    async def queue(self, word: Word) -> None:
        """By way of the sender, unless it has it already.

        Raises:
            StorageError, TimeoutError: it is not queued.
        """

        async def decision(work: Work) -> None:
            await outbox.notice(work, word.text, about=word.about)

        if word.delivery:
            return
        async with asyncio.timeout(_COMMIT_SECONDS):
            await self._transactions.write(self._clock.now(), decision)

    async def send(self, word: Word, *, keep: bool) -> None:
        """Now, without the sender. `keep`: as a delivery that is recorded; otherwise the database is not asked.

        Raises:
            UntoldError: the attempt failed.
            StorageError, TimeoutError: it could not be written down.
        """
        fallback = self._fallback(word)
        if fallback is None:
            return
        job = (
            await self._claimed(word, fallback.name)
            if keep
            else Job(_unwritten(word, fallback.name), None, (), {}, told=False)
        )
        if job is None:
            return  # it has been told meanwhile
        live = Live(job.claimed.id, "", fallback.name, self._clock.now())
        attempted = await self._attempt.make(self._transactions.generation(), fallback, live, job)
        if keep:
            await self._record(attempted)
        if attempted.error is not None:
            raise UntoldError(str(attempted.error))

    def _fallback(self, word: Word) -> ConfiguredChannel | None:
        generation = self._transactions.generation()
        name = generation.fallback_for(word.about) if word.about else generation.config.fallback or ""
        found = generation.channels.get(name)
        return found if found is not None and found.channel is not None else None

    async def _claimed(self, word: Word, channel: str) -> Job | None:
        """The word as a delivery of its own, claimed; it is not handed to the sender."""

        async def decision(work: Work) -> tuple[int, Job | None]:
            number = word.delivery
            if not number:
                live = await deliveries.add(work.tx, "", channel, channel, Reason.NOTICE, word.text, work.now, work.now)
                number = live.id
            return number, (await claim(work, [number]))[0]

        async with asyncio.timeout(_COMMIT_SECONDS):
            word.delivery, job = await self._transactions.write(self._clock.now(), decision)
        return job

    async def _record(self, attempted: Attempted) -> None:
        async def decision(work: Work) -> None:
            if attempted.error is None:
                await record_sent(work, [attempted])
            else:
                await record(work, attempted, attempted.error, self._rng)

        await self._transactions.write(self._clock.now(), decision)


def _unwritten(word: Word, channel: str) -> Claimed:
    """The word as if it were a delivery. Its number is the same at each try, so the service can know it again."""
    number = -micros(word.since)
    return Claimed(number, "", channel, channel, Reason.NOTICE, word.text, word.since, 0, 0, plain=False)
