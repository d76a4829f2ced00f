"""A configuration comes into force: its recurring silences, heartbeats and drills, who is on call, which alerts inhibit others, and what
is hidden no longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from bridge.engine import drills, groups, handoffs, heartbeats, muting, recurring
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.routing.inhibition import Side
from bridge.storage import drills as stored_drills
from bridge.storage import heartbeats as stored_heartbeats
from bridge.storage import journal
from bridge.storage import muting as stored

_RULES = "inhibition_rules"
_ADOPTED = "adopted_configuration"
_PAGE = 1000
_WOKEN = 50


async def adopt(transactions: Transactions, now: datetime) -> None:
    """Bring what is stored in line with the configuration in force. Page by page, beside everything else."""
    await recurring.look(transactions, now)
    await handoffs.look(transactions, now)
    if await transactions.read(stored_heartbeats.every) or transactions.generation().heartbeats.by_name:
        await transactions.write(now, heartbeats.adopt)
    if await transactions.read(stored_drills.every) or transactions.generation().drills:
        await transactions.write(now, drills.adopt)
    inhibition = transactions.generation().inhibition
    rules = ",".join(sorted(inhibition.keys))
    if await transactions.read(lambda tx: journal.fact(tx, _RULES)) != rules or transactions.owner:
        await _learn_sources(transactions, now)
        await transactions.write(now, lambda work: journal.set_fact(work.tx, _RULES, rules))
    digest = transactions.generation().digest
    if await transactions.read(lambda tx: journal.fact(tx, _ADOPTED)) != digest:
        await _wake_hidden(transactions, now)
        await transactions.write(now, lambda work: journal.set_fact(work.tx, _ADOPTED, digest))


async def _wake_hidden(transactions: Transactions, now: datetime) -> None:
    """Look at everything that was hidden by what the configuration before said."""
    after = ""
    while page := await transactions.read(partial(stored.with_hidden, after=after, limit=_WOKEN)):
        await transactions.write(now, partial(_wake, page=page))
        after = page[-1]


async def _wake(work: Work, page: Sequence[str]) -> None:
    for incident_id in page:
        await groups.wake(work, incident_id)


async def _learn_sources(transactions: Transactions, now: datetime) -> None:
    """Ask of every alert that fires on which rules' source side it stands."""
    await transactions.write(now, lambda work: stored.forget_ended(work.tx))
    inhibition = transactions.generation().inhibition
    if not inhibition:
        return
    after = 0
    while True:
        page = await transactions.read(partial(stored.firing_page, after=after, limit=_PAGE))
        found = [
            (number, fingerprint, sides)
            for number, fingerprint, labels in page
            if (sides := inhibition.sources(labels))
        ]
        if found:
            await transactions.write(now, partial(_learn, found=found))
        if len(page) < _PAGE:
            return
        after = page[-1][0]


async def _learn(work: Work, found: Sequence[tuple[int, str, Sequence[Side]]]) -> None:
    """Of those that fire still."""
    firing = await stored.still_firing(work.tx, [number for number, _fingerprint, _sides in found])
    for number, fingerprint, sides in found:
        if number in firing:
            await muting.put_sides(work, number, fingerprint, sides)
