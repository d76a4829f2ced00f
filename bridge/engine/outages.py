"""One outage is one word: several bridges on a shared database find it each for itself, and a bridge that starts finds it anew.

When an outage was told of is kept until it is over. It is told again only where that was a while ago: rather twice than not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from bridge.domain.moment import micros, moment
from bridge.engine.work import Work
from bridge.storage import journal
from bridge.storage.transaction import Tx

_FACT = "outage "
_AGAIN = timedelta(minutes=10)


async def began(work: Work, what: str) -> bool:
    """A credential, or a channel that cannot be used, takes nothing; whether that is news."""
    told = await journal.fact(work.tx, _FACT + what)
    if told and timedelta() <= work.now - moment(int(told)) < _AGAIN:
        return False
    await journal.set_fact(work.tx, _FACT + what, str(micros(work.now)))
    return True


async def ended(work: Work, what: str) -> bool:
    """It takes messages again; whether that is news. What another bridge still finds is old: they share the work."""
    if not await journal.fact(work.tx, _FACT + what):
        return False
    await journal.set_fact(work.tx, _FACT + what, "")
    return True


async def standing(tx: Tx, names: Iterable[str]) -> set[str]:
    """Those of which people have heard that they take nothing, and not that it is over."""
    return {name for name in set(names) if await journal.fact(tx, _FACT + name)}
