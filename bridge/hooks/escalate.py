"""Names the escalation that follows while nobody acknowledges."""

from __future__ import annotations

from typing import ClassVar

from msgspec.structs import replace
from pydantic import Field, model_validator

from bridge.hooks.api import Forward, HookContext, HookOptions, Notification, Verdict


class EscalateOptions(HookOptions):
    """`escalate: payments` is short for `escalate: {escalation: payments}`."""

    escalation: str = Field(min_length=1, description="one of the configuration's `escalations`")

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"escalation": value} if isinstance(value, str) else value


class Escalate:
    """Sets the notification's escalation; the last `escalate` of a chain wins.

    The planner starts its timers when an incident opens, and only then: for any other transition it changes nothing.
    """

    name: ClassVar[str] = "escalate"
    Options: ClassVar[type[HookOptions]] = EscalateOptions
    does_io = False

    def __init__(self, options: EscalateOptions, context: HookContext) -> None:
        del context
        self._escalation = options.escalation

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        return await forward(replace(notification, escalation=self._escalation))
