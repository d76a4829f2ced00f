"""Judgements that wait: of routes whose hooks do I/O, and those that a hook held."""

from __future__ import annotations

import asyncio
from datetime import datetime
from functools import partial

import structlog

from bridge.domain.audit import Kind
from bridge.domain.errors import StorageError
from bridge.engine import outbox
from bridge.engine.telling import apply, flush_data, notification_of
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
        early = timer.due_at > work.now  # the clock was set back meanwhile
        if early or not await timers.take(work.tx, timer) or judged is None:
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
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with this one must not stop the others
        _log.exception("timer_put_aside", timer=timer.id, incident=timer.incident)
        await transactions.write(now, partial(put_aside, timer=timer, error=error))


async def put_aside(work: Work, *, timer: Timer, error: Exception) -> None:
    """A timer that cannot be taken is deleted, audited and announced, so that the others go on."""
    if not await timers.take(work.tx, timer):
        return
    why = f"a {timer.kind} timer cannot be taken: {type(error).__name__}"
    work.record(Kind.SKIPPED, incident=timer.incident, reason="poisoned", detail=why)
    await outbox.notice(work, f"{why} (incident {timer.incident or 'none'}); see the log for the error.")
