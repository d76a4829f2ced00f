"""Escalations and severities as they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, ConfigDict, Field, TypeAdapter, model_validator

from bridge.config.people import Texts
from bridge.config.routes import MatcherTexts
from bridge.config.targets import TargetText
from bridge.config.values import Section, one_or_many
from bridge.domain.escalation import Condition, Repeat, Step
from bridge.domain.options import Duration
from bridge.domain.severity import Severities


class RepeatSettings(Section):
    every: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    times: int = Field(ge=1, le=10_000)


class MoreThanSettings(Section):
    """More than so many alerts began within a time."""

    alerts: int = Field(ge=0, le=1_000_000)
    within: Annotated[Duration, Field(ge=timedelta(seconds=1))]


class ConditionSettings(Section):
    """What must hold for a step to be taken; all of it, if there is more than one thing."""

    matchers: MatcherTexts = Field(default=(), description="one of the alerts that fire matches all of them")
    time_intervals: Texts | None = Field(
        default=None, description="the step waits until one of these time intervals begins"
    )
    more_than: MoreThanSettings | None = Field(default=None, description="more than so many alerts began within a time")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.matchers and self.time_intervals is None and self.more_than is None:
            raise ValueError("if: write matchers, time_intervals or more_than")
        return self

    def to_domain(self) -> Condition:
        more, within = (
            (0, 0.0) if self.more_than is None else (self.more_than.alerts, self.more_than.within.total_seconds())
        )
        return Condition(self.matchers, self.time_intervals or (), more, within)


class StepSettings(Section):
    """One step: who is told, and what is done, `after` the incident opened, while nobody acknowledged."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["notify"]}, {"required": ["run"]}]})

    after: Duration
    notify: tuple[TargetText, ...] = ()
    run: Annotated[tuple[str, ...], BeforeValidator(one_or_many, json_schema_input_type=str | list[str])] = Field(
        default=(), description="channels of the types exec, webhook or workflow that do something"
    )
    condition: ConditionSettings | None = Field(default=None, alias="if")
    repeat: RepeatSettings | None = None
    max_late: Annotated[Duration, Field(ge=timedelta(minutes=1))] = Field(
        default=timedelta(days=1), description="how late, after an outage, the step is still taken"
    )

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.notify and not self.run:
            raise ValueError("a step tells somebody (notify) or does something (run)")
        return self

    def to_domain(self) -> Step:
        repeat = Repeat(self.repeat.every, self.repeat.times) if self.repeat else None
        condition = self.condition.to_domain() if self.condition else Condition()
        return Step(self.after, self.notify, repeat, self.run, condition, self.max_late)


class SeveritySettings(Section):
    """Which label tells the severity, and its values, worst first."""

    label: str = Field(default="severity", min_length=1)
    order: tuple[str, ...] = ("critical", "error", "warning", "info")

    @model_validator(mode="after")
    def _unique(self) -> Self:
        if len(set(self.order)) != len(self.order):
            raise ValueError("a severity is listed twice in order")
        return self

    def to_domain(self) -> Severities:
        return Severities(self.label, self.order)


STEPS: TypeAdapter[tuple[StepSettings, ...]] = TypeAdapter(Annotated[tuple[StepSettings, ...], Field(min_length=1)])
