"""One outage is one word, though each of several bridges on a shared database finds it for itself.

The bridges that find it are kept by name until one of them gets through. Those that are gone do not count: they cannot
say that it is over.
"""

from __future__ import annotations

import msgspec

from bridge.engine.work import Work
from bridge.storage import journal, replicas

_FACT = "outage "


async def began(work: Work, what: str) -> bool:
    """This bridge finds that `what` (a credential, or a channel that cannot be used) takes nothing; whether it is the first to."""
    if not work.owner:
        return True
    known = await _known(work, what)
    there = {replica.id for replica in await replicas.present(work.tx)} if known else set()
    others = [owner for owner in known if owner in there and owner != work.owner]
    await _keep(work, what, [*others, work.owner])
    return not others


async def ended(work: Work, what: str) -> bool:
    """This bridge gets through again; whether it is the first to. What others still find is old: they share the work."""
    if not work.owner:
        return True
    if not await _known(work, what):
        return False
    await _keep(work, what, [])
    return True


async def _known(work: Work, what: str) -> list[str]:
    text = await journal.fact(work.tx, _FACT + what)
    return msgspec.json.decode(text, type=list[str]) if text else []


async def _keep(work: Work, what: str, owners: list[str]) -> None:
    await journal.set_fact(work.tx, _FACT + what, msgspec.json.encode(owners).decode())
