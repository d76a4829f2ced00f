"""Keeps what is not urgent until people are at work."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from bridge.hooks.api import Forward, Hold, HookContext, HookOptions, Notification, Transition, Verdict

OUT_OF_HOURS = "out_of_hours"


class HoldOptions(HookOptions):
    """`hold: working-hours` is short for `hold: {until: [working-hours]}`."""

    until: tuple[str, ...] = Field(min_length=1, description="time intervals; within one of them nothing is held")
    severities: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="what is held, by its severity; everything if left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        if isinstance(value, str):
            return {"until": [value]} if value else value
        if isinstance(value, dict) and isinstance(value.get("until"), str):
            return {**value, "until": [value["until"]]}
        return value


class HoldUntil:
    """Outside its time intervals it holds openings, changes and reminders until one begins.

    What is resolved by then nobody hears of; ends of what was told pass at once, and so does what became too severe to be held.
    """

    name: ClassVar[str] = "hold"
    Options: ClassVar[type[HookOptions]] = HoldOptions
    does_io = False

    def __init__(self, options: HoldOptions, context: HookContext) -> None:
        self._until = options.until
        self._severities = options.severities
        self._opens = context.opens

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        if notification.transition in {Transition.RESOLVED, Transition.STALE}:
            return await forward(notification)
        if self._severities is not None and notification.severity not in self._severities:
            return await forward(notification)
        opens = self._opens(self._until, notification.now)
        if opens is None or opens <= notification.now:
            return await forward(notification)
        return Hold(opens, OUT_OF_HOURS, drops=True)
