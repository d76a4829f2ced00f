"""Escalations: who is told next while nobody acknowledges."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct


class Repeat(Struct, frozen=True):
    every: timedelta
    times: int


class Step(Struct, frozen=True):
    """`after` counts from the moment the incident's first notification became sendable. `notify`: words for targets, see
    `bridge.domain.target`.
    """

    after: timedelta
    notify: tuple[str, ...]
    repeat: Repeat | None = None


class DueStep(Struct, frozen=True):
    """A step waiting to be taken. `done` counts the times it was taken already. Stored as the timer's data."""

    escalation: str
    index: int
    notify: tuple[str, ...]
    every_seconds: float = 0.0
    times: int = 0
    done: int = 0


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
    return following, DueStep(step.escalation, step.index, step.notify, step.every_seconds, step.times, step.done + 1)
