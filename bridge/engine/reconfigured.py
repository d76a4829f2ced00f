"""A configuration comes into force: its recurring silences, which alerts inhibit others, and what is hidden no longer."""

from __future__ import annotations

from datetime import datetime

from bridge.engine import groups, muting, recurring
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import journal
from bridge.storage import muting as stored

_RULES = "inhibition_rules"
_PAGE = 1000


async def adopt(transactions: Transactions, now: datetime) -> None:
    """Bring what is stored in line with the configuration in force. Page by page, beside everything else."""
    await recurring.look(transactions, now)
    inhibition = transactions.generation().inhibition
    rules = ",".join(sorted(inhibition.keys))
    if await transactions.read(lambda tx: journal.fact(tx, _RULES)) != rules or transactions.owner:
        await _learn_sources(transactions, now)
        await transactions.write(now, lambda work: journal.set_fact(work.tx, _RULES, rules))
    after = ""
    while True:
        page = await transactions.read(lambda tx, after=after: stored.with_hidden(tx, after, _PAGE))  # type: ignore[misc]
        if not page:
            return

        async def wake(work: Work, page: list[str] = page) -> None:
            for incident_id in page:
                await groups.wake(work, incident_id)

        await transactions.write(now, wake)
        after = page[-1]


async def _learn_sources(transactions: Transactions, now: datetime) -> None:
    """Ask of every alert that fires on which rules' source side it stands."""
    await transactions.write(now, lambda work: stored.forget_ended(work.tx))
    if not transactions.generation().inhibition:
        return
    after = 0
    while True:

        async def learn(work: Work, after: int = after) -> int:
            page = await stored.firing_page(work.tx, after, _PAGE)
            for number, fingerprint, labels in page:
                sides = work.generation.inhibition.sources(labels)
                await muting.put_sides(work, number, fingerprint, sides)
            return page[-1][0] if page else 0

        after = await transactions.write(now, learn)
        if not after:
            return
