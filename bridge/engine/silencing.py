"""A silence begins or ends: what it hides is noted, and what it hid and still fires is announced.

However much fires, it is read and matched outside of any transaction, and written page by page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.engine import groups
from bridge.engine.muting import SILENCED
from bridge.engine.silence_rules import matchers_of
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.routing.matchers import match_all
from bridge.storage import incidents, muting, silences, timers
from bridge.storage.silences import StoredSilence
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

_PAGE = 1000
_AT_ONCE = 50
_BREAK = "\n"


async def turn(transactions: Transactions, timer: Timer, now: datetime) -> None:
    """Take a timer. Its data is the silence's id, and up to which alert the work is done."""
    name, _, after = timer.data.partition(_BREAK)
    await transactions.refresh_silences()
    silence = await transactions.read(lambda tx: silences.get(tx, name))
    if not after:
        await _wake(transactions, name, now)
    found, last = await _matching(transactions, silence, int(after or 0), now)
    ids = found[:_AT_ONCE]

    async def finish(work: Work) -> None:
        if timer.due_at > work.now or not await timers.take(work.tx, timer):
            return
        if not after and silence is not None and silence.updated_at < silence.ends_at <= work.now:
            work.record(Kind.SILENCE_EXPIRED, reason="ended", detail=name)
        await _hide(work, name, ids)
        if last:
            await timers.add(work.tx, "silence", work.now, f"{name}{_BREAK}{last}")
            work.effects.due(work.now)

    for begin in range(_AT_ONCE, len(found), _AT_ONCE):
        await transactions.write(now, partial(_hide, name=name, alerts=found[begin : begin + _AT_ONCE]))
    await transactions.write(now, finish)


async def _wake(transactions: Transactions, name: str, now: datetime) -> None:
    """Look at everything that this silence hid."""
    hidden = await transactions.read(lambda tx: muting.hidden_by(tx, name))

    async def wake(work: Work, page: Sequence[str]) -> None:
        for incident_id in page:
            await groups.wake(work, incident_id)

    for begin in range(0, len(hidden), _AT_ONCE):
        await transactions.write(now, partial(wake, page=hidden[begin : begin + _AT_ONCE]))


async def _matching(
    transactions: Transactions, silence: StoredSilence | None, after: int, now: datetime
) -> tuple[list[int], int]:
    """The alerts of the next page that it holds for, if it holds now; and the page's last, 0 if there is no page after it."""
    if silence is None or not silence.starts_at <= now < silence.ends_at:
        return [], 0
    matchers = matchers_of(silence.matchers)

    async def page(tx: Tx) -> list[int]:
        read = await muting.firing_page(tx, after, _PAGE)
        last.append(read[-1][0] if len(read) == _PAGE else 0)
        return [number for number, _fingerprint, labels in read if match_all(matchers, labels)]

    last: list[int] = []
    found = await transactions.read(page)
    return found, last[-1]


async def _hide(work: Work, name: str, alerts: Sequence[int]) -> None:
    """Note what is hidden from now on: without that, the silence's end would concern nobody who was told before."""
    if not alerts:
        return
    for incident_id, number in Counter(await muting.silence_firing(work.tx, name, alerts)).items():
        incident = await incidents.get(work.tx, incident_id)
        if incident is None or incident.state == "resolved":
            continue
        incident = replace(incident, hidden=incident.hidden + number)
        await incidents.save(work.tx, incident)
        detail = f"{number} by {name}"
        work.record(Kind.SUPPRESSED, source=incident.source, incident=incident.id, reason=SILENCED, detail=detail)
        work.effects.suppressed.append(("muting", SILENCED))
        if incident.hidden >= incident.firing and await timers.pause_steps(work.tx, incident.id, work.now):
            work.record(Kind.PAUSED, source=incident.source, incident=incident.id, reason="hidden")
