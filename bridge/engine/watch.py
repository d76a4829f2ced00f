"""What the bridge judges of itself: pure decisions, from what one look found.

A finding that lasts becomes a trouble, one that stays away for a while is over; both are news once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace


class Concern(StrEnum):
    """What can be wrong: the closed set of names in `/-/ready` and in `alertbridge_troubles`."""

    STAGE_STALLED = "stage_stalled"
    LOOP_LAGS = "loop_lags"
    DELIVERIES_STUCK = "deliveries_stuck"
    REQUESTS_STUCK = "requests_stuck"
    ESCALATION_OVERDUE = "escalation_overdue"
    JUDGEMENT_OVERDUE = "judgement_overdue"
    CHECKPOINT_OVERDUE = "checkpoint_overdue"
    DATABASE_FAILS = "database_fails"
    WRITER_DEAD = "writer_dead"
    CLOCK_JUMPED = "clock_jumped"
    CLOCK_DIFFERS = "clock_differs"
    HEARTBEAT_FAILS = "heartbeat_fails"


QUIET = frozenset({Concern.CLOCK_JUMPED, Concern.HEARTBEAT_FAILS})
"""What the fallback does not hear of as a trouble: a jump is announced when it is recorded, and the heartbeat has hearers of its own."""

OF_THE_WHOLE = frozenset(
    {
        Concern.DELIVERIES_STUCK,
        Concern.REQUESTS_STUCK,
        Concern.ESCALATION_OVERDUE,
        Concern.JUDGEMENT_OVERDUE,
        Concern.CHECKPOINT_OVERDUE,
    }
)
"""What every bridge on a shared database sees alike; the one that leads announces it."""

_WELL_ENOUGH = QUIET | {Concern.LOOP_LAGS, Concern.CHECKPOINT_OVERDUE, Concern.CLOCK_DIFFERS}
_TIMERS: Mapping[str, tuple[Concern, str]] = {
    "step": (Concern.ESCALATION_OVERDUE, "an escalation step is not taken, though it is due"),
    "rule": (Concern.ESCALATION_OVERDUE, "somebody who was called is not told by his next rule, though it is due"),
    "window": (Concern.ESCALATION_OVERDUE, "an escalation step waits on, though its time interval began"),
    "flush": (Concern.JUDGEMENT_OVERDUE, "an incident is not judged, though it is due"),
    "snooze": (Concern.ESCALATION_OVERDUE, "a snooze is not ended, though it is over"),
    "acknowledgement": (Concern.ESCALATION_OVERDUE, "an acknowledgement does not expire, though it is over"),
    "heartbeat": (Concern.JUDGEMENT_OVERDUE, "a heartbeat may be missing, and is not looked at"),
    "drill": (Concern.JUDGEMENT_OVERDUE, "a fire drill is not held or judged, though it is due"),
    "alert": (Concern.JUDGEMENT_OVERDUE, "a report that was held is not judged, though it is due"),
}


class Bounds(Struct, frozen=True):
    """Seconds. What stands still for longer is a finding: a `stage`, what is due in a `queue`.

    `commit`, `checkpoint` and `lag` are for how long it must be found that the database fails, that a checkpoint is due,
    that the event loop is more than `late`. A trouble is over when it was not found for `calm`. An idle bridge tries a
    commit every `idle`; one that has not come to an end after `hung` never will.
    """

    stage: float = 30.0
    queue: float = 60.0
    commit: float = 15.0
    checkpoint: float = 60.0
    lag: float = 30.0
    late: float = 0.25
    calm: float = 10.0
    idle: float = 25.0
    hung: float = 60.0


class Stage(Struct, frozen=True):
    """A loop: seconds since its last good turn, and what the last bad one raised."""

    name: str
    still: float
    problem: str = ""


class Stuck(Struct, frozen=True):
    """Deliveries of a channel that nothing explains: seconds since the oldest was due. `lost` are not known to the sender."""

    channel: str
    seconds: float
    lost: int = 0


class Seen(Struct, frozen=True):
    """One look. `request` and `timers` (by kind) are for how many seconds the oldest that is due has been the same one.

    `commit` is the time since the last commit, `hangs` that one does not come to an end, `lag` how late the event loop was at worst of late; texts are empty where
    all is well.
    """

    stages: tuple[Stage, ...] = ()
    stuck: tuple[Stuck, ...] = ()
    request: float = 0.0
    timers: Mapping[str, float] = {}
    unsigned: bool = False
    commit: float = 0.0
    database: str = ""
    hangs: bool = False
    writer_alive: bool = True
    lag: float = 0.0
    clock: str = ""
    jumped: str = ""
    heartbeat: str = ""


class Finding(Struct, frozen=True):
    """Something that is not well. `age` is for how many seconds already."""

    concern: Concern
    name: str
    detail: str
    age: float = 0.0

    @property
    def key(self) -> tuple[Concern, str]:
        return self.concern, self.name


class Standing(Struct, frozen=True):
    """A finding over time: found first at `began`, last at `seen` (monotonic seconds), a trouble once it `appeared`."""

    finding: Finding
    since: datetime
    began: float
    seen: float
    appeared: bool = False


class News(Struct, frozen=True):
    """A trouble appeared, or is over."""

    standing: Standing
    over: bool


def judge(seen: Seen, bounds: Bounds) -> list[Finding]:
    """Everything that is not well."""
    found = [
        Finding(Concern.STAGE_STALLED, stage.name, _still(stage), stage.still)
        for stage in seen.stages
        if stage.still > bounds.stage
    ]
    found += [
        Finding(Concern.DELIVERIES_STUCK, stuck.channel, _stuck(stuck), stuck.seconds)
        for stuck in seen.stuck
        if stuck.seconds > bounds.queue
    ]
    found += [
        Finding(_TIMERS[kind][0], kind, _TIMERS[kind][1], age)
        for kind, age in seen.timers.items()
        if kind in _TIMERS and age > bounds.queue
    ]
    if seen.request > bounds.queue:
        text = "requests are kept and not planned"
        found.append(Finding(Concern.REQUESTS_STUCK, "", text, seen.request))
    if seen.database:
        found.append(Finding(Concern.DATABASE_FAILS, "", seen.database, seen.commit))
    if not seen.writer_alive:
        found.append(Finding(Concern.WRITER_DEAD, "", "the thread that commits has ended"))
    if seen.unsigned:
        found.append(Finding(Concern.CHECKPOINT_OVERDUE, "", "audit records are not signed, though it is time"))
    if seen.lag > bounds.late:
        found.append(Finding(Concern.LOOP_LAGS, "", f"the event loop was late by up to {seen.lag:.2f} s"))
    standing = ((Concern.CLOCK_DIFFERS, seen.clock), (Concern.CLOCK_JUMPED, seen.jumped))
    found += [Finding(concern, "", text) for concern, text in standing if text]
    if seen.heartbeat:
        found.append(Finding(Concern.HEARTBEAT_FAILS, "", seen.heartbeat))
    return found


def is_lost(seen: Seen, bounds: Bounds) -> bool:
    """Whether nothing can be kept any more, and only a new process can help: the thread that commits is gone, or stuck."""
    return not seen.writer_alive or (seen.hangs and seen.commit > bounds.hung)


def is_well(findings: Iterable[Finding]) -> bool:
    """Whether the heartbeat may say so: alerts are kept, planned, sent and escalated."""
    return all(finding.concern in _WELL_ENOUGH for finding in findings)


def follow(
    before: Sequence[Standing], findings: Iterable[Finding], at: float, now: datetime, bounds: Bounds
) -> tuple[tuple[Standing, ...], tuple[News, ...]]:
    """What stands after a look, and what is new about it. `at` are monotonic seconds, `now` is for people."""
    known = {standing.finding.key: standing for standing in before}
    standing: list[Standing] = []
    news: list[News] = []
    for finding in findings:
        old = known.pop(finding.key, None)
        if old is None:
            old = Standing(finding, now - timedelta(seconds=finding.age), at, at)
        fresh = replace(old, finding=finding, seen=at)
        if not fresh.appeared and at - fresh.began >= _lasting(finding.concern, bounds):
            fresh = replace(fresh, appeared=True)
            news.append(News(fresh, over=False))
        standing.append(fresh)
    for gone in known.values():
        if gone.appeared and at - gone.seen < bounds.calm:
            standing.append(gone)
        elif gone.appeared:
            news.append(News(gone, over=True))
    return tuple(standing), tuple(news)


def _lasting(concern: Concern, bounds: Bounds) -> float:
    """For how long something must be found without a break; most findings are of what has lasted already."""
    return {
        Concern.DATABASE_FAILS: bounds.commit,
        Concern.CHECKPOINT_OVERDUE: bounds.checkpoint,
        Concern.LOOP_LAGS: bounds.lag,
    }.get(concern, 0.0)


def _still(stage: Stage) -> str:
    return f"its turns fail: {stage.problem}" if stage.problem else "no turn of it comes to an end"


def _stuck(stuck: Stuck) -> str:
    if stuck.lost:
        return f"{stuck.lost} deliveries were not known to the sender; it was told of them"
    return "deliveries are due and not done, though nothing holds them back"
