"""Escalations and severities as they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, TypeAdapter, model_validator

from bridge.config.targets import TargetText
from bridge.config.values import Section
from bridge.domain.escalation import Repeat, Step
from bridge.domain.options import Duration
from bridge.domain.severity import Severities


class RepeatSettings(Section):
    every: Annotated[Duration, Field(ge=timedelta(seconds=1))]
    times: int = Field(ge=1, le=10_000)


class StepSettings(Section):
    """One step: who is told `after` the incident opened, while nobody acknowledged."""

    after: Duration
    notify: Annotated[tuple[TargetText, ...], Field(min_length=1)]
    repeat: RepeatSettings | None = None

    def to_domain(self) -> Step:
        repeat = Repeat(self.repeat.every, self.repeat.times) if self.repeat else None
        return Step(self.after, self.notify, repeat)


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
