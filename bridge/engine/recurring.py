"""Recurring silences of the configuration are looked at: at a start, at a reload, and whenever one begins, ends or is to be
announced. One timer is for all of them, and what was done is kept in the database, so that it is done once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

import msgspec
import structlog
from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.errors import StorageError
from bridge.engine.expiring import Hidden, count_hidden, tell
from bridge.engine.judging import put_aside
from bridge.engine.occurrence import Occurrence, Window, drop, follow, notice_at
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.routing.recurring import Recurring
from bridge.storage import journal, timers
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

TIMER = "recurring"
_FACT = "recurring_silences"
_AT_ONCE = 100
"""How many begin or end in one transaction; the next ones follow at once."""
_log = structlog.get_logger("bridge.recurring")


class _State(Struct, frozen=True):
    """What is kept: the timer, and the last occurrence of each entry."""

    timer: int = 0
    occurrences: Mapping[str, Occurrence] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_State)


async def turn(transactions: Transactions, timer: Timer, now: datetime) -> None:
    """Take a timer that is due.

    Raises:
        StorageError: not now.
    """
    try:
        await look(transactions, now, timer)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever is wrong with these must not stop other timers
        _log.exception("timer_put_aside", timer=timer.id, kind=timer.kind)
        await transactions.write(now, partial(put_aside, timer=timer, error=error))


async def look(transactions: Transactions, now: datetime, timer: Timer | None = None) -> None:
    """Bring the silences in line with the configuration in force and the hour, and tell whom it concerns.

    Raises:
        StorageError: not now.
    """
    entries = transactions.generation().recurring
    state = await transactions.read(_load)
    if not entries and not state.occurrences and timer is None:
        return
    counted = {
        name: await count_hidden(transactions, entries[name].matchers)
        for name, occurrence in state.occurrences.items()
        if name in entries and _is_due(entries[name], occurrence, now)
    }
    await transactions.write(now, partial(_look, timer=timer, counted=counted))
    await transactions.refresh_silences()


async def _look(work: Work, *, timer: Timer | None, counted: Mapping[str, Hidden]) -> None:
    if timer is not None and (timer.due_at > work.now or not await timers.take(work.tx, timer)):
        return  # the clock was set back meanwhile, or another took it
    state = await _load(work.tx)
    entries = work.generation.recurring
    windows: dict[tuple[str, ...], Window] = {}
    found = dict(state.occurrences)
    moments: list[datetime] = []
    changes = 0
    for name in sorted({*entries, *found}):
        if changes >= _AT_ONCE:
            moments.append(work.now)
            break
        entry, known = entries.get(name), found.pop(name, None)
        if entry is None:
            occurrence = await _forget(work, known)
        else:
            window = _window(entry, work.now, windows)
            occurrence = await _follow(work, entry, window, known, counted.get(name))
            moments += _moments(entry, window, occurrence)
        changes += occurrence is not known
        if occurrence is not None:
            found[name] = occurrence
    await _plan(work, state, found, moments)


async def _follow(
    work: Work, entry: Recurring, window: Window, known: Occurrence | None, hidden: Hidden | None
) -> Occurrence | None:
    """As `follow`, and tell whom it concerns if that is due and `hidden` is known."""
    occurrence = await follow(work, entry, window, known)
    if occurrence is None or hidden is None or not _is_due(entry, occurrence, work.now):
        return occurrence
    await tell(work, entry, occurrence, hidden)
    return replace(occurrence, noticed=True)


async def _plan(work: Work, state: _State, found: Mapping[str, Occurrence], moments: list[datetime]) -> None:
    """Keep what was done, and look again at the first of the moments."""
    if state.timer:
        await timers.delete(work.tx, state.timer)
    number = 0
    if moments:
        number = await timers.add(work.tx, TIMER, min(moments), "")
        work.effects.due(min(moments))
    await journal.set_fact(work.tx, _FACT, _ENCODER.encode(_State(number, found)).decode())


async def _load(tx: Tx) -> _State:
    text = await journal.fact(tx, _FACT)
    return _DECODER.decode(text) if text else _State()


async def _forget(work: Work, known: Occurrence | None) -> Occurrence | None:
    """The entry is gone from the configuration; its window is remembered, as it may come back."""
    if known is None or known.until <= work.now:
        return None
    return await drop(work, known)


def _window(entry: Recurring, now: datetime, known: dict[tuple[str, ...], Window]) -> Window:
    key = tuple(interval.name for interval in entry.intervals)
    if key not in known:
        known[key] = Window(entry.holds(now), entry.changes(now))
    return known[key]


def _is_due(entry: Recurring, occurrence: Occurrence, now: datetime) -> bool:
    at = notice_at(entry, occurrence)
    return at is not None and at <= now < occurrence.until


def _moments(entry: Recurring, window: Window, occurrence: Occurrence | None) -> list[datetime]:
    """When there is something to do next. A notice that is due and was not told is among them."""
    told = notice_at(entry, occurrence) if occurrence is not None else None
    ends = occurrence.until if occurrence is not None and window.holds else None
    return [at for at in (told, window.changes or ends) if at is not None]
