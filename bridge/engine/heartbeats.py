"""Signs of life that are expected: each is noted when it comes, and one that stays away opens an incident until it is back.

When one is missing is a row, and a timer looks at it. What a sender could not say while no bridge was there is not held
against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from bridge.domain.alert import HEARTBEAT, Alert, Status, Webhook, fingerprint
from bridge.domain.audit import Kind
from bridge.domain.duration import format_duration
from bridge.engine.own_alerts import FORMAT, report
from bridge.engine.work import Work
from bridge.routing.heartbeats import Expected
from bridge.storage import alerts, heartbeats, incidents, timers
from bridge.storage.heartbeats import Heartbeat
from bridge.storage.timers import Timer

TIMER = "heartbeat"
_AGAIN = timedelta(minutes=5)
"""How often one that is missing is looked at."""
_UNKNOWN = timedelta(minutes=1)


async def beat(work: Work, expected: Expected) -> None:
    """It came."""
    known = await heartbeats.get(work.tx, expected.name)
    if known is None:
        known = Heartbeat(expected.name, work.now)
        await heartbeats.add(work.tx, known)
    if known.missing_since is not None:
        await _report(work, expected, known, Status.RESOLVED)
    found = replace(known, last_at=work.now, due_at=expected.due(work.now), missing_since=None, excused=False)
    await heartbeats.put(work.tx, found if found.timer else await _with_timer(work, found))


async def take(work: Work, timer: Timer) -> None:
    """Look at the one whose timer was just deleted: it may have come since, or it is missing."""
    known = await heartbeats.get(work.tx, timer.data)
    if known is None or known.timer != timer.id:
        return
    expected = work.generation.heartbeats.by_name.get(known.name)
    if expected is None:  # another bridge on the database may expect it, by a newer configuration
        again = replace(known, due_at=max(known.due_at or work.now, work.now + _UNKNOWN))
        await heartbeats.put(work.tx, await _with_timer(work, again))
        return
    if known.due_at is not None and known.due_at <= work.now:
        known = await _missing(work, expected, known)
    await heartbeats.put(work.tx, await _with_timer(work, known))


async def adopt(work: Work) -> None:
    """Bring the rows in line with the configuration in force."""
    known = {found.name: found for found in await heartbeats.every(work.tx)}
    for name, expected in work.generation.heartbeats.by_name.items():
        found = known.pop(name, None)
        if found is None:
            due = None if expected.awaited else expected.due(work.now)
            found = Heartbeat(name, work.now, due_at=due)
            await heartbeats.add(work.tx, found)
            await heartbeats.put(work.tx, await _with_timer(work, found))
        elif found.missing_since is None:
            await _reschedule(work, expected, found)
    for gone in known.values():
        await _forget(work, gone)


async def excuse(work: Work, alive: datetime | None) -> None:
    """No bridge was there since `alive` (None: nobody knows of any): what came meanwhile, nobody heard.

    Each is given its whole interval anew, but only once between two beats, or a bridge that starts often would never
    miss one.
    """
    known = await heartbeats.every(work.tx)
    heard = [found.last_at for found in known if found.last_at is not None]
    last = max((moment for moment in (alive, *heard) if moment is not None), default=None)
    if last is None or last >= work.now:
        return
    for found in known:
        expected = work.generation.heartbeats.by_name.get(found.name)
        if expected is None or found.due_at is None or found.missing_since is not None or found.excused:
            continue
        if work.now - last > expected.grace:
            due = max(found.due_at, expected.due(work.now))
            await heartbeats.put(work.tx, replace(found, due_at=due, excused=True))


async def _missing(work: Work, expected: Expected, known: Heartbeat) -> Heartbeat:
    """It is told once; again only where somebody ended by hand what is not over, and then as a sender would."""
    if known.missing_since is None:
        known = replace(known, missing_since=work.now)
        work.record(Kind.MISSED, source=HEARTBEAT, reason=known.name, detail=_summary(known, work.now))
        await _report(work, expected, known, Status.FIRING)
    elif await _was_ended(work, known.name):
        await _report(work, expected, known, Status.FIRING)
    return replace(known, due_at=work.now + _AGAIN)


async def _reschedule(work: Work, expected: Expected, known: Heartbeat) -> None:
    """Its interval may be another now. More time that it was given stays."""
    if known.last_at is None and known.due_at is None and expected.awaited:
        return
    due = expected.due(known.last_at or known.since)
    if known.excused and known.due_at is not None:
        due = max(due, known.due_at)
    if due != known.due_at:
        if known.timer:
            await timers.delete(work.tx, known.timer)
        await heartbeats.put(work.tx, await _with_timer(work, replace(known, due_at=due)))


async def _forget(work: Work, known: Heartbeat) -> None:
    """It is expected no longer; what its absence opened ends."""
    if known.timer:
        await timers.delete(work.tx, known.timer)
    if known.missing_since is not None:
        labels = await _labels(work, known.name)
        await _report(work, Expected(known.name, timedelta(), timedelta(), labels), known, Status.RESOLVED)
    await heartbeats.drop(work.tx, known.name)


async def _was_ended(work: Work, name: str) -> bool:
    known = await alerts.known(work.tx, _key(name))
    return known is not None and bool(await incidents.ended_with_firing(work.tx, [known.id]))


async def _labels(work: Work, name: str) -> Mapping[str, str]:
    """Those that its absence was told with."""
    known = await alerts.known(work.tx, _key(name))
    for incident in await incidents.with_firing(work.tx, known.id) if known is not None else ():
        for member in await incidents.members(work.tx, incident):
            if member.alert.key == _key(name):
                return member.alert.labels
    return {HEARTBEAT: name}


def _key(name: str) -> tuple[str, str, str]:
    return (HEARTBEAT, "", fingerprint({HEARTBEAT: name}))


async def _with_timer(work: Work, known: Heartbeat) -> Heartbeat:
    """With the timer that looks at it when it is due; the one before is gone."""
    if known.due_at is None:
        return replace(known, timer=0)
    work.effects.due(known.due_at)
    return replace(known, timer=await timers.add(work.tx, TIMER, known.due_at, known.name))


async def _report(work: Work, expected: Expected, known: Heartbeat, status: Status) -> None:
    began = known.missing_since or work.now
    ended = work.now if status is Status.RESOLVED else None
    alert = Alert(
        *_key(known.name), status, expected.labels,
        {"summary": _summary(known, work.now), **expected.annotations}, began, ended, began.isoformat(),
        ended.isoformat() if ended else "",
    )  # fmt: skip
    await report(work, Webhook(HEARTBEAT, FORMAT, (alert,), group_labels={HEARTBEAT: known.name}))


def _summary(known: Heartbeat, now: datetime) -> str:
    if known.last_at is None:
        return f"the heartbeat {known.name} has not come since it is expected, {known.since:%Y-%m-%d %H:%M:%S} UTC"
    ago = timedelta(seconds=round((now - known.last_at).total_seconds()))
    return (
        f"the heartbeat {known.name} has not come for {format_duration(ago)}: "
        f"the last was at {known.last_at:%Y-%m-%d %H:%M:%S} UTC"
    )
