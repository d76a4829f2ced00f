"""Judgements that wait: of routes whose hooks do I/O, and those that a hook held."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from bridge.domain.errors import StorageError
from bridge.engine.conclude import apply, flush_data, notification_of
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.hooks.chain import Judged
from bridge.storage import incidents, timers
from bridge.storage.incidents import Incident
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

_log = structlog.get_logger("bridge.judging")


async def judge(transactions: Transactions, timer: Timer, now: datetime, limit: asyncio.Semaphore) -> None:
    """Run the hooks outside any transaction, then carry the verdict out.

    Whoever deletes the timer takes the judgement: if news joined the incident meanwhile, its timer was replaced, and
    this verdict is void.
    """
    generation = transactions.generation()
    data = flush_data(timer.data)
    wanted = set(data.alerts)

    async def load(tx: Tx) -> tuple[Incident | None, list[incidents.Member]]:
        return await incidents.get(tx, timer.incident), await incidents.members(tx, timer.incident)

    incident, members = await transactions.read(load)
    alerts = tuple(member.shown for member in members if member.alert.key in wanted)
    judged: Judged | None = None
    if incident is not None:
        async with limit:
            chain = generation.chain(incident.route)
            judged = await chain.run(notification_of(incident, data, alerts, now))

    async def decision(work: Work) -> None:
        if not await timers.delete(work.tx, timer.id) or judged is None:
            return
        present = await incidents.get(work.tx, timer.incident)
        if present is None:
            return
        after = await apply(work, present, data, judged)
        if after is not present:
            await incidents.save(work.tx, after)

    try:
        await transactions.write(now, decision)
    except StorageError as error:
        _log.warning("judgement_not_recorded", incident=timer.incident, error=str(error))
