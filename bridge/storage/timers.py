"""Business time: what is to happen when."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import maybe_moment, micros, moment
from bridge.storage.transaction import Tx


class Timer(Struct, frozen=True):
    """`kind`: `step` (an escalation goes on), `rule` (somebody is called in a further way), `flush` (an incident is judged again), `alert` (a report is judged again),
    `group` (an incident's group is looked at: the ticks of its route's timing), `silence` (one begins or ends), `recurring` (silences of the configuration are looked at),
    `heartbeat` (one may be missing), `drill` (one begins, or is to be judged), `window` (the time interval begins that a step waits for), `snooze` (one ends), `acknowledgement` (one expires, or its owner is reminded), `handoff` (who is on call may have changed).

    `data` is the kind's own text.
    """

    id: int
    kind: str
    incident: str
    alert: int
    due_at: datetime
    data: str


async def add(tx: Tx, kind: str, due_at: datetime, data: str, *, incident: str = "", alert: int = 0) -> int:
    return await tx.insert("timer_add", kind, incident, alert, micros(due_at), data)


async def due(tx: Tx, now: datetime, limit: int) -> list[Timer]:
    """What is due, oldest first."""
    return [
        Timer(row[0], row[1], row[2], row[3], moment(row[4]), row[5])
        for row in await tx.all("timers_due", micros(now), limit)
    ]


async def get(tx: Tx, timer: int) -> Timer | None:
    row = await tx.one("timer_get", timer)
    return None if row is None else Timer(row[0], row[1], row[2], row[3], moment(row[4]), row[5])


async def next_due(tx: Tx) -> datetime | None:
    row = await tx.one("timers_next")
    return maybe_moment(row[0]) if row else None


async def take(tx: Tx, timer: Timer) -> bool:
    """Delete a timer that was read before; False if it is gone, was moved or paused: whoever deletes it takes it."""
    values = (timer.id, timer.kind, timer.incident, timer.alert, micros(timer.due_at), timer.data)
    return await tx.run("timer_take", *values) > 0


async def delete(tx: Tx, timer: int) -> bool:
    """Delete a timer that is known to be there; whether it was."""
    return await tx.run("timer_delete", timer) > 0


async def move(tx: Tx, timer: int, due_at: datetime) -> None:
    await tx.run("timer_move", micros(due_at), timer)


async def of_alert(tx: Tx, alert: int) -> list[tuple[int, str]]:
    """(id, data) of the reports of an alert that wait to be judged again."""
    return [(row[0], row[1]) for row in await tx.all("timers_of_alert", alert)]


async def steps(tx: Tx, incident: str) -> list[Timer]:
    """The steps not taken, the next first, whether their clock runs or stands still; then those that wait for a time interval."""
    return [*await of_incident(tx, incident, "step"), *await of_incident(tx, incident, "window")]


async def of_incident(tx: Tx, incident: str, kind: str) -> list[Timer]:
    """What of a kind an incident waits for, the next first, whether its clock runs or stands still."""
    rows = await tx.all("timers_of_kind", incident, kind)
    return [Timer(row[0], row[1], row[2], row[3], moment(row[4]), row[5]) for row in rows]


async def stop_steps(tx: Tx, incident: str) -> int:
    """It is over: forget the steps and rules not taken, and when a snooze or an acknowledgement ends."""
    return await tx.run("steps_delete", incident)


async def pause_steps(tx: Tx, incident: str, now: datetime) -> int:
    """Stop the clock of the steps and rules not taken, keeping what is left of each wait."""
    return await tx.run("steps_pause", micros(now), incident)


async def resume_steps(tx: Tx, incident: str, now: datetime) -> int:
    return await tx.run("steps_resume", micros(now), incident)


async def next_of(tx: Tx, incident: str, kind: str) -> datetime | None:
    """When the next timer of a kind is due for an incident."""
    row = await tx.one("timer_next_of", incident, kind)
    return maybe_moment(row[0]) if row else None


async def stop_quiet(tx: Tx, incident: str) -> int:
    """Forget when a snooze or an acknowledgement ends."""
    return await tx.run("quiet_ends_delete", incident)


async def flush_of(tx: Tx, incident: str) -> Timer | None:
    """The judgement an incident waits for, if any: there is at most one."""
    row = await tx.one("flush_queued", incident)
    return None if row is None else Timer(row[0], row[1], row[2], row[3], moment(row[4]), row[5])


async def group_of(tx: Tx, incident: str) -> Timer | None:
    """The next tick that an incident waits for, if any: there is at most one."""
    row = await tx.one("group_queued", incident)
    return None if row is None else Timer(row[0], row[1], row[2], row[3], moment(row[4]), row[5])
