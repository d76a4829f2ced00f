"""What may have been under way when a bridge died: whoever may have heard of a firing is to hear of its end.

On a database of our own a claim is memory only. So after a start that follows no orderly stop, every delivery that waited
may have been on its way: one number says up to which. Such a delivery counts as under way until it is claimed again. On a
shared database the row says it: its lease ran out without an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.domain.alert import Status
from bridge.domain.message import FOLLOW_UPS, Reason
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import deliveries, incidents, journal
from bridge.storage.deliveries import Claimed
from bridge.storage.incidents import Member

_ENDED = "ended_in_order"
_THROUGH = "in_doubt_through"


async def begin(transactions: Transactions, now: datetime) -> None:
    """At a start, before anything is claimed."""
    if not transactions.owner:
        transactions.in_doubt_through = await transactions.write(now, _begin)


async def _begin(work: Work) -> int:
    through = int(await journal.fact(work.tx, _THROUGH) or 0)
    if await journal.fact(work.tx, _ENDED):
        await journal.set_fact(work.tx, _ENDED, "")
        return through
    newest = await deliveries.newest(work.tx)
    if newest != through:
        await journal.set_fact(work.tx, _THROUGH, str(newest))
    return newest


async def end(transactions: Transactions, now: datetime) -> None:
    """At an orderly stop, when the outcome of everything that was under way is recorded."""
    if not transactions.owner:
        await transactions.write(now, _end)


async def _end(work: Work) -> None:
    await journal.set_fact(work.tx, _ENDED, "1")


def waits_in_doubt(work: Work, delivery: int) -> bool:
    """Whether a delivery that waits and is leased to nobody may have been told. On a shared database none may."""
    return not work.owner and delivery <= work.in_doubt_through


def in_doubt(work: Work, claimed: Claimed) -> bool:
    """Whether it may have been told before this claim, by somebody who left no outcome."""
    if work.owner:
        return claimed.taken_over
    return claimed.id <= work.in_doubt_through


async def perhaps_heard(work: Work, incident: str, channel: str, reason: Reason, members: Sequence[Member]) -> None:
    """Keep that the channel may have been told of these alerts, those that fire."""
    if not incident or reason in FOLLOW_UPS:
        return
    told = [
        (incident, channel, member.alert_id, member.episode, member.alert.status)
        for member in members
        if member.alert.status is Status.FIRING
    ]
    if told:
        await incidents.tell(work.tx, told)
