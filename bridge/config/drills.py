"""The section `drills:`, tests of the whole way to people: how it is written, and what it must name."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.names import Names
from bridge.config.sections import Sections
from bridge.config.validation import validate_model
from bridge.config.values import Section, is_source_name
from bridge.config.yaml_nodes import Mapping, Scalar, Sequence
from bridge.domain.duration import format_duration
from bridge.domain.options import Duration
from bridge.domain.severity import Severities
from bridge.routing.drills import Drill
from bridge.routing.intervals import TimeInterval

SECTION = "drills"
_NAME = "drill"
_Word = Annotated[str, Field(min_length=1)]
_Span = Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(days=1))]


class DrillSettings(Section):
    """When a test is sent, to whom, and what makes it a success."""

    time_intervals: Annotated[tuple[str, ...], Field(min_length=1)]
    to: str | None = Field(
        default=None, min_length=1, description="a receiver or channel; if absent the labels are routed"
    )
    within: _Span = timedelta(minutes=5)
    acknowledge: _Span | None = Field(default=None, description="somebody has to acknowledge it in that time")
    severity: str | None = Field(default=None, min_length=1)
    labels: dict[_Word, _Word] = Field(default={})
    annotations: dict[_Word, str] = Field(default={})
    notice: str | None = Field(default=None, min_length=1, description="who hears of a failure; if absent the fallback")

    @model_validator(mode="after")
    def _own_labels(self) -> Self:
        taken = {_NAME, "alertname"} & self.labels.keys()
        if taken:
            raise ValueError(f"the label {min(taken)!r} is always the drill's own")
        return self


def drills_of(
    settings: MappingType[str, DrillSettings], intervals: MappingType[str, TimeInterval], severities: Severities
) -> dict[str, Drill]:
    """What the engine holds, by name."""
    return {name: _drill(name, each, intervals, severities) for name, each in settings.items()}


def _drill(
    name: str, settings: DrillSettings, intervals: MappingType[str, TimeInterval], severities: Severities
) -> Drill:
    severity = {severities.label: settings.severity} if settings.severity else {}
    asked = f" Acknowledge it within {format_duration(settings.acknowledge)}." if settings.acknowledge else ""
    return Drill(
        name=name,
        intervals=tuple(intervals[each] for each in settings.time_intervals),
        within=settings.within,
        acknowledge=settings.acknowledge,
        labels={"alertname": f"TEST fire drill {name}", **severity, **settings.labels, _NAME: name},
        annotations={"summary": f"TEST: this is a fire drill, nothing is wrong.{asked}", **settings.annotations},
        to=settings.to or "",
        notice=settings.notice or "",
    )


def read_drills(sections: Sections, fields: FieldReader, names: Names, findings: Findings) -> dict[str, DrillSettings]:
    """The entries that are valid, by name; the rest is reported."""
    found: dict[str, DrillSettings] = {}
    for name, (key, node) in sections.entries(SECTION).items():
        if not is_source_name(name):
            findings.error(key.mark, f"{name!r}: a drill's name is part of its path: letters, digits, '.', '_', '-'")
        if not isinstance(node, Mapping):
            findings.error(node.mark, f"{SECTION}.{name} is a mapping such as `{{time_intervals: [tuesdays]}}`")
            continue
        _judge_names(node, names, findings)
        before = len(fields.missing)
        data = fields.read_model(node, DrillSettings, (SECTION, name))
        fields.refuse_missing(before)
        settings = validate_model(DrillSettings, data, node, f"{SECTION}.{name}", findings)
        if settings is None:
            continue
        if settings.notice is None and "fallback" not in sections.values:
            findings.error(key.mark, "nobody would hear that this drill failed: give it `notice`, or give a `fallback`")
        found[name] = settings
    return found


def _judge_names(node: Mapping, names: Names, findings: Findings) -> None:
    intervals = node.get("time_intervals")
    for named in intervals.items if isinstance(intervals, Sequence) else ():
        if isinstance(named, Scalar):
            names.judge(named, "time interval", findings)
    for key in ("to", "notice"):
        receiver = node.get(key)
        if isinstance(receiver, Scalar) and not receiver.is_null:
            names.judge(receiver, "receiver", findings)
