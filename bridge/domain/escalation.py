"""Escalations: who is told next while nobody acknowledges."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.duration import format_duration


class Repeat(Struct, frozen=True):
    every: timedelta
    times: int


class Condition(Struct, frozen=True, omit_defaults=True):
    """When a step is taken. `matchers`: an alert that fires matches them all. `intervals`: names of time intervals; the step
    waits until one of them begins. `more_than` alerts began in the last `within_seconds`, if that is not 0.
    """

    matchers: tuple[str, ...] = ()
    intervals: tuple[str, ...] = ()
    more_than: int = 0
    within_seconds: float = 0.0

    def __str__(self) -> str:
        """In words; empty if there is none."""
        parts = []
        if self.matchers:
            parts.append(f"an alert has {', '.join(self.matchers)}")
        if self.within_seconds:
            within = format_duration(timedelta(seconds=self.within_seconds))
            parts.append(f"more than {self.more_than} alerts began within {within}")
        if self.intervals:
            parts.append(f"waits for {' or '.join(self.intervals)}")
        return "; ".join(parts)


class Step(Struct, frozen=True):
    """`after` counts from the moment the incident's first notification became sendable. `notify`: words for targets, see
    `bridge.domain.target`. `run`: channels that do something. Later than `max_late` the step is not taken any more.
    """

    after: timedelta
    notify: tuple[str, ...]
    repeat: Repeat | None = None
    run: tuple[str, ...] = ()
    condition: Condition = Condition()
    max_late: timedelta = timedelta(days=1)


class DueStep(Struct, frozen=True):
    """A step waiting to be taken. `done` counts the times it was taken already. Stored as the timer's data.

    `max_late_seconds` 0: it is never too late.
    """

    escalation: str
    index: int
    notify: tuple[str, ...]
    every_seconds: float = 0.0
    times: int = 0
    done: int = 0
    run: tuple[str, ...] = ()
    condition: Condition = Condition()
    max_late_seconds: float = 0.0

    def __str__(self) -> str:
        return self.named(", ".join(self.notify))

    def named(self, whom: str) -> str:
        """What the audit calls it; `whom` says who is told."""
        repeated = f", repeat {self.done} of {self.times}" if self.done else ""
        runs = f"runs {', '.join(self.run)}" if self.run else ""
        return f"{self.escalation} step {self.index + 1}{repeated}: {'; '.join(filter(None, (whom, runs)))}"


def schedule(name: str, steps: tuple[Step, ...], start: datetime) -> tuple[tuple[datetime, DueStep], ...]:
    """The steps with their due times. The policy is copied: a later edit does not change an open incident's steps."""
    return tuple(
        (
            start + step.after,
            DueStep(
                escalation=name,
                index=index,
                notify=step.notify,
                every_seconds=step.repeat.every.total_seconds() if step.repeat else 0.0,
                times=step.repeat.times if step.repeat else 0,
                run=step.run,
                condition=step.condition,
                max_late_seconds=step.max_late.total_seconds(),
            ),
        )
        for index, step in enumerate(steps)
    )


def again(step: DueStep, due: datetime, now: datetime) -> tuple[datetime, DueStep] | None:
    """The next repetition of a step that was just taken, None if there is none.

    What an outage made overdue is taken once, not in a burst: the next time lies after `now`.
    """
    if step.done >= step.times or step.every_seconds <= 0:
        return None
    every = timedelta(seconds=step.every_seconds)
    following = due + every
    if following <= now:
        following = now + every
    return following, replace(step, done=step.done + 1)
