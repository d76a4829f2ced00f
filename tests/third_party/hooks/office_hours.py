"""A hook as a user writes it: one Python file, named under `plugins:`.

It keeps what is not urgent until the office opens, and drops what resolved meanwhile without anybody knowing.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from bridge.hooks.api import Drop, Forward, Hold, HookContext, HookOptions, Notification, Transition, Verdict


class OfficeHoursOptions(HookOptions):
    opens: int = Field(default=8, ge=0, le=23, description="hour of the day, UTC")
    closes: int = Field(default=18, ge=1, le=24, description="hour of the day, UTC")
    urgent: tuple[str, ...] = Field(default=("critical",), description="severities that do not wait")

    @model_validator(mode="after")
    def _some_hours(self) -> OfficeHoursOptions:
        if self.opens >= self.closes:
            raise ValueError("the office must close after it opens")
        return self


class OfficeHoursHook:
    name = "office_hours"
    Options = OfficeHoursOptions
    does_io = False

    def __init__(self, options: OfficeHoursOptions, context: HookContext) -> None:
        del context  # it asks nobody
        self._options = options

    async def __call__(self, notification: Notification, forward: Forward) -> Verdict:
        options, now = self._options, notification.now
        if notification.severity in options.urgent or options.opens <= now.hour < options.closes:
            return await forward(notification)
        if notification.transition is Transition.RESOLVED and notification.told_at is None:
            return Drop("office_closed")
        opening = now.replace(hour=options.opens, minute=0, second=0, microsecond=0)
        return Hold(opening if now < opening else opening + timedelta(days=1), "office_closed")
