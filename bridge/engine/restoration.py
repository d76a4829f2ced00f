"""Restored mode: the database is a copy of what was there, and what happened after the copy was made is unknown.

Resending is preferred to silence. What waited in the copy is sent. What was open then is told of again, marked as
perhaps stale, unless it resolves or is told by itself within a minute. Overdue escalations wait for that minute too.
Ids of deliveries go on far ahead of all that were given out meanwhile, because receivers know messages by keys made of
them: a new message must not look like an old one.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from msgspec.structs import replace

from bridge.domain.audit import Kind, Record
from bridge.domain.message import Reason
from bridge.domain.moment import micros, moment
from bridge.engine import outbox
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import incidents, restoration, watch
from bridge.storage.incidents import Incident
from bridge.storage.restoration import Restored
from bridge.storage.transaction import Tx

SETTLE = timedelta(minutes=1)
FAR = 1_000_000_000
_PAGE = 100
_log = structlog.get_logger("bridge.restoration")


async def declare(tx: Tx, now: datetime, mismatch: str, *, shared: bool) -> str:
    """Enter restored mode if the database was restored and no bridge has said so yet, or if `mismatch` says why it is
    not the one its head file speaks of. To be called in the first transaction of a start. Gives what is to be said,
    empty if the database is what it should be.
    """
    restored = await restoration.load(tx)
    declared = restored is None or restored.declared_at != 0
    if declared and not mismatch:
        return ""
    if restored is None or declared:
        last = await watch.last_known(tx)
        restored = Restored(micros(last) if last else 0)
        await restoration.rejuvenate(tx, now)
        reason, text = "audit_head", mismatch
    else:
        reason = "moved" if restored.moved and not mismatch else "backup"
        text = f"restored from a backup of {_hour(restored)}" + (f"; {mismatch}" if mismatch else "")
    tx.record(Record(now, Kind.RESTORED, reason=reason, detail=f"{text} ({restored.file})" if restored.file else text))
    if reason == "moved":
        await restoration.save(tx, None)
        return ""
    if not shared:
        skipped = await restoration.skip_ids(tx, FAR, now)
        tx.record(Record(now, Kind.SUPERSEDED, delivery=str(skipped), reason="restored"))
    await restoration.postpone_steps(tx, now + SETTLE)
    await restoration.save(tx, replace(restored, declared_at=micros(now), before=f"{micros(now):014x}"))
    return text


class Restoration:
    """`step` tells of the incidents that were open in the copy, a page at a time, once they had a minute to resolve."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions
        self._done = False

    async def step(self, now: datetime) -> None:
        """Tell of some of them, if it is time.

        Raises:
            StorageBusy, StorageFatal: see `Database.write`.
        """
        if self._done:
            return
        restored = await self._transactions.read(restoration.load)
        if restored is None or not restored.declared_at:
            self._done = True
        elif not timedelta() <= now - moment(restored.declared_at) < SETTLE:
            await self._transactions.write(now, _tell)


async def _tell(work: Work) -> None:
    restored = await restoration.load(work.tx)
    if restored is None:
        return
    page = await incidents.page(work.tx, restored.before, ("open",), _PAGE)
    for incident in page:
        await _tell_again(work, incident, restored)
    ended = len(page) < _PAGE
    await restoration.save(work.tx, None if ended else replace(restored, before=page[-1].id))


async def _tell_again(work: Work, incident: Incident, restored: Restored) -> None:
    """Whoever was told of it in the copy, or should have been, and is not told by what waited or came since."""
    busy = await restoration.busy_channels(work.tx, incident.id, moment(restored.declared_at))
    heard = await incidents.channels_told_of_firing(work.tx, incident.id)
    found = outbox.behind(work, incident.receiver, incident).channels
    channels = [name for name in (*found, *heard) if name not in busy]
    people = {**found, **await outbox.heard_for(work, incident)}
    note = (
        f"The bridge was restored from what it knew at {_hour(restored)}. What happened since is not known: this may be "
        "over already."
    )
    if await outbox.tell_channels(work, incident, channels, Reason.REMINDER, note=note, people=people):
        await incidents.save(work.tx, replace(incident, told_at=work.now))


def _hour(restored: Restored) -> str:
    return f"{moment(restored.at):%Y-%m-%d %H:%M:%S} UTC" if restored.at else "an unknown time"
