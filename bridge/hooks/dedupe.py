"""Tells only news: the reducer has found what changed, this hook decides what of the rest is worth a word."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from pydantic import Field, model_validator

from bridge.domain.alert import Status
from bridge.domain.options import Duration
from bridge.hooks.api import Drop, Forward, HookContext, HookOptions, Notification, Transition, Verdict

DUPLICATE = "duplicate"
STALE = "stale"


class DedupeOptions(HookOptions):
    """`dedupe: 5m` is short for `dedupe: {window: 5m}`."""

    window: Duration = Field(timedelta(minutes=5), description="how long after telling a repeat is no reminder yet")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"window": value} if isinstance(value, str) else value


class Dedupe:
    """Drops a stale firing, and a repeat of what was told within `window`; everything else passes.

    A repeat passes as a reminder only while it fires, came from a sender with a timer of its own (a webhook source),
    and nobody has acknowledged; or when the route's own time for a reminder has come. A repeat of what nobody was told is
    no duplicate.
    """

    name: ClassVar[str] = "dedupe"
    Options: ClassVar[type[HookOptions]] = DedupeOptions
    does_io = False

    def __init__(self, options: DedupeOptions, context: HookContext) -> None:
        del context
        self._window = options.window

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        if notification.transition is Transition.STALE:
            return Drop(STALE)
        if notification.transition is Transition.REPEAT and not self._reminds(notification):
            return Drop(DUPLICATE)
        return await forward(notification)

    def _reminds(self, repeat: Notification) -> bool:
        if repeat.due:
            return True
        if repeat.acknowledged or not repeat.from_webhook:
            return False
        if not any(alert.status is Status.FIRING for alert in repeat.alerts):
            return False
        # The distance, not the difference: a clock set back must not silence reminders until it has caught up.
        return repeat.told_at is None or abs(repeat.now - repeat.told_at) >= self._window
