"""Whoever is on call next hears of it at the hand-off, and of what is open. Schedules are looked at: when a configuration
comes into force, when a calendar says something else, and when a shift begins or ends.

One timer is for all of them. Who was on call last is kept in the database, so that everybody is told once. A gap in between
is no hand-off, nor is the first look at a schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.domain.schedules import Schedule, next_change, on_call
from bridge.engine import outbox
from bridge.engine.handoff_text import about
from bridge.engine.notified import naming
from bridge.engine.on_call import schedule_of
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import journal, timers
from bridge.storage import on_call as stored
from bridge.storage.timers import Timer
from bridge.storage.transaction import Tx

TIMER = "handoff"
_FACT = "handoffs"
_AHEAD = timedelta(days=7)
_LISTED = 20


class _State(Struct, frozen=True):
    """What is kept: the timer, and who was on call last, by the schedule's name."""

    timer: int = 0
    held: Mapping[str, tuple[str, ...]] = {}


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(_State)


async def look(transactions: Transactions, now: datetime) -> None:
    """See who is on call, and tell whom it concerns.

    Raises:
        StorageError: not now.
    """
    if transactions.generation().config.schedules or await transactions.read(_load) != _State():
        await transactions.write(now, _look)


async def turn(work: Work, _timer: Timer) -> None:
    """The timer was just deleted: a shift may have begun or ended."""
    await _look(work)


async def _look(work: Work) -> None:
    state = await _load(work.tx)
    held: dict[str, tuple[str, ...]] = {}
    moments = [work.now + _AHEAD]
    config = work.generation.config
    for name in config.schedules:
        before = state.held.get(name)
        found = schedule_of(config, work.shifts, name)
        if found is None or (name in config.calendars and name not in work.shifts):  # not read yet
            people: tuple[str, ...] = ()
        else:
            people = on_call(found, work.now)
            if (change := next_change(found, work.now, _AHEAD)) is not None:
                moments.append(change)
            if people and before and set(people) != set(before):
                await _hand_over(work, found, before, people)
        if people or before:
            held[name] = people or before or ()
    if state.timer:
        await timers.delete(work.tx, state.timer)
    number = 0
    if config.schedules:
        number = await timers.add(work.tx, TIMER, min(moments), "")
        work.effects.due(min(moments))
    after = _State(number, held)
    await journal.set_fact(work.tx, _FACT, _ENCODER.encode(after).decode())


async def _hand_over(work: Work, schedule: Schedule, before: tuple[str, ...], people: tuple[str, ...]) -> None:
    config = work.generation.config
    number, listed = await stored.open_of(work.tx, *naming(config, schedule.name), _LISTED)
    work.record(
        Kind.HANDED_OVER,
        reason=schedule.name,
        detail=f"{', '.join(before)} to {', '.join(people)}; open incidents: {number}",
    )
    if not schedule.notices:
        return
    until = next_change(schedule, work.now, _AHEAD)
    for name in people:
        person = config.people.get(name)
        if name in before or person is None or not person.rules:
            continue
        text = about(config, schedule, person, before, until, number, listed)
        for channel in person.told(person.rules[0].kinds):
            await outbox.notice_for(work, text, channel, person.name)


async def _load(tx: Tx) -> _State:
    text = await journal.fact(tx, _FACT)
    return _DECODER.decode(text) if text else _State()
