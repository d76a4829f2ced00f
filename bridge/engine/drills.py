"""Fire drills: at the beginning of a window a test, marked as one, goes the whole way to people, and is judged.

What is next, and what is under way, are rows; a drill whose window passed while no bridge was there is missed, and that is told.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from bridge.domain.alert import DRILL
from bridge.domain.audit import Kind
from bridge.domain.errors import Conflict, NotFound
from bridge.domain.moment import new_id
from bridge.engine import drill_runs, outbox
from bridge.engine.drill_runs import Verdict
from bridge.engine.own_alerts import report
from bridge.engine.work import Work
from bridge.routing.drills import Drill
from bridge.storage import drills, timers
from bridge.storage.drills import Planned, Result
from bridge.storage.timers import Timer

TIMER = "drill"
_LOOK = timedelta(seconds=3)
"""How often one that is under way is looked at."""
_UNKNOWN = timedelta(minutes=1)


async def take(work: Work, timer: Timer) -> None:
    """Begin, judge, or miss the one whose timer was just deleted."""
    planned = await drills.get(work.tx, timer.data)
    if planned is None or planned.timer != timer.id:
        return
    drill = work.generation.drills.get(planned.name)
    if drill is None:  # another bridge on the database may hold it, by a newer configuration
        await _put(work, planned, work.now + _UNKNOWN)
    elif planned.run:
        await _judge(work, drill, planned)
    elif planned.next_at is None or planned.next_at > work.now:
        await _put(work, planned, planned.next_at)
    elif drill.holds(work.now):
        await _begin(work, drill, planned)
    else:
        await _miss(work, drill, planned)


async def begin(work: Work, name: str) -> str:
    """Hold one now, whatever the hour; gives the test's id.

    Raises:
        NotFound: there is none of this name.
        Conflict: it is under way.
    """
    drill, planned = work.generation.drills.get(name), await drills.get(work.tx, name)
    if drill is None or planned is None:
        raise NotFound(name)
    if planned.run:
        raise Conflict(f"the drill {name} is under way")
    if planned.timer:
        await timers.delete(work.tx, planned.timer)
    return await _begin(work, drill, planned)


async def adopt(work: Work) -> None:
    """Bring the rows in line with the configuration in force. A new drill waits for its next window."""
    known = {found.name: found for found in await drills.every(work.tx)}
    for name, drill in work.generation.drills.items():
        planned = known.pop(name, None)
        if planned is None:
            begins = drill.begins(work.now)
            await drills.add(work.tx, Planned(name))
            await _put(work, Planned(name, begins), begins)
        elif not planned.run:
            await _plan(work, drill, planned)
    for gone in known.values():
        if gone.timer:
            await timers.delete(work.tx, gone.timer)
        if gone.run:
            labels = await drill_runs.labels_of(work, gone.run) or {DRILL: gone.name}
            began = gone.began_at or work.now
            await report(work, drill_runs.request(gone.run, labels, {}, began, ended=work.now))
        await drills.drop(work.tx, gone.name)


async def follow_clock(work: Work) -> None:
    """The clock was set: a test under way is missed, for its times are of two clocks; the next is planned by the new one."""
    for planned in await drills.every(work.tx):
        drill = work.generation.drills.get(planned.name)
        if drill is None:
            continue
        if planned.run:
            began = planned.began_at or work.now
            await _end(work, drill, planned.run, began)
            verdict = Verdict("missed", detail="the clock was set while it was under way")
            await _conclude(work, drill, planned.run, began, verdict)
        await _plan(work, drill, planned)


async def _plan(work: Work, drill: Drill, planned: Planned) -> None:
    """Have it wait for its next window, whatever is under way; one that has begun already is kept, to be held or missed."""
    begun = planned.next_at is not None and planned.next_at <= work.now
    begins = planned.next_at if begun else drill.begins(work.now)
    if planned.run or planned.next_at != begins:
        if planned.timer:
            await timers.delete(work.tx, planned.timer)
        await _put(work, replace(planned, next_at=begins, run="", began_at=None), begins)


async def _begin(work: Work, drill: Drill, planned: Planned) -> str:
    run = new_id(work.now)
    found = replace(planned, next_at=drill.begins(work.now), run=run, began_at=work.now)
    await report(work, drill_runs.request(run, drill.labels, drill.annotations, work.now, to=drill.to))
    await _put(work, found, work.now + _LOOK)
    return run


async def _judge(work: Work, drill: Drill, planned: Planned) -> None:
    began = planned.began_at or work.now
    verdict = await drill_runs.judge(work, drill, planned.run, began)
    if verdict is None:
        await _put(work, planned, work.now + _LOOK)
        return
    await _end(work, drill, planned.run, began)
    await _conclude(work, drill, planned.run, began, verdict)
    await _put(work, replace(planned, run="", began_at=None), planned.next_at)


async def _end(work: Work, drill: Drill, run: str, began: datetime) -> None:
    over = drill_runs.request(run, drill.labels, drill.annotations, began, to=drill.to, ended=work.now)
    await report(work, over)


async def _conclude(work: Work, drill: Drill, run: str, began: datetime, verdict: Verdict) -> None:
    result = Result(
        run, drill.name, began, verdict.outcome, verdict.delivered_ms, verdict.acknowledged_ms, verdict.detail
    )
    await drills.keep(work.tx, result)
    work.effects.drilled.append((drill.name, verdict.outcome))
    kind = Kind.MISSED if verdict.outcome == "missed" else Kind.DRILLED
    work.record(
        kind, source=DRILL, incident=verdict.incident, reason=verdict.outcome,
        detail=f"{drill.name}: {verdict.told}",
    )  # fmt: skip
    if verdict.outcome != "passed":
        word = "was missed" if verdict.outcome == "missed" else verdict.outcome
        text = f"the fire drill {drill.name} {word}: {verdict.detail}"
        await outbox.notice(work, text, to=drill.notice)


async def _miss(work: Work, drill: Drill, planned: Planned) -> None:
    at = planned.next_at or work.now
    detail = f"its window of {at:%Y-%m-%d %H:%M} UTC passed while no bridge was there"
    await _conclude(work, drill, new_id(work.now), at, Verdict("missed", detail=detail))
    begins = drill.begins(work.now)
    await _put(work, replace(planned, next_at=begins), begins)


async def _put(work: Work, planned: Planned, due: datetime | None) -> None:
    """Keep it, with the timer that looks at it next; the one before is gone."""
    timer = 0
    if due is not None:
        work.effects.due(due)
        timer = await timers.add(work.tx, TIMER, due, planned.name)
    await drills.put(work.tx, replace(planned, timer=timer))
