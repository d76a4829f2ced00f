"""The section `heartbeats:`, signs of life that are expected: how it is written, and what it must name."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from datetime import timedelta
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bridge.config.fields import FieldReader
from bridge.config.findings import Findings
from bridge.config.problems import did_you_mean
from bridge.config.recurring import matchers_of
from bridge.config.routes import MatcherTexts
from bridge.config.sections import Sections
from bridge.config.senders import Rotating
from bridge.config.validation import validate_model
from bridge.config.values import Section, is_source_name
from bridge.config.yaml_nodes import Mapping, Scalar, is_null
from bridge.domain.alert import API
from bridge.domain.options import Duration
from bridge.domain.severity import Severities
from bridge.routing.heartbeats import Expected
from bridge.routing.silences import hides_everything

SECTION = "heartbeats"
_Word = Annotated[str, Field(min_length=1)]
NAME, ALERTNAME = "heartbeat", "HeartbeatMissing"


def _of_something(texts: tuple[str, ...]) -> tuple[str, ...]:
    if hides_everything(matchers_of(texts)):
        raise ValueError("at least one matcher must not match the empty text, or every alert would be a sign of life")
    return texts


class HeartbeatSettings(Section):
    """What is expected how often, and what the incident looks like that its absence opens.

    Without `matchers` it is a request to `/heartbeat/NAME`, with them an alert that fires all the time.
    """

    every: Annotated[Duration, Field(ge=timedelta(seconds=5), le=timedelta(days=366))]
    grace: Duration = Field(default=timedelta(seconds=30), ge=timedelta(0), le=timedelta(days=31))
    first: Literal["expected", "awaited"] = Field(
        default="expected", description="expected counts from when it is configured, awaited from its first beat"
    )
    severity: str | None = Field(default=None, min_length=1, description="the worst of `severity.order` if absent")
    labels: dict[_Word, _Word] = Field(default={})
    annotations: dict[_Word, str] = Field(default={})
    token: Rotating | None = None
    matchers: Annotated[MatcherTexts, Field(min_length=1), AfterValidator(_of_something)] | None = None
    source: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.matchers is not None and self.token is not None:
            raise ValueError("token belongs to a heartbeat without matchers: alerts prove themselves by their source")
        if self.source is not None and self.matchers is None:
            raise ValueError("source belongs to matchers, which are not given")
        if NAME in self.labels:
            raise ValueError(f"the label {NAME!r} is always the heartbeat's name")
        return self


def expected_of(settings: MappingType[str, HeartbeatSettings], severities: Severities) -> dict[str, Expected]:
    """What the engine expects, by name."""
    return {name: _expected(name, each, severities) for name, each in settings.items()}


def _expected(name: str, settings: HeartbeatSettings, severities: Severities) -> Expected:
    worst = severities.order[0] if severities.order else ""
    severity = settings.severity or worst
    return Expected(
        name=name,
        every=settings.every,
        grace=settings.grace,
        labels={
            "alertname": ALERTNAME,
            **({severities.label: severity} if severity else {}),
            **settings.labels,
            NAME: name,
        },
        annotations=settings.annotations,
        matchers=matchers_of(settings.matchers or ()),
        source=settings.source or "",
        awaited=settings.first == "awaited",
    )


def read_heartbeats(sections: Sections, fields: FieldReader, findings: Findings) -> dict[str, HeartbeatSettings]:
    """The entries that are valid, by name; the rest is reported."""
    found: dict[str, HeartbeatSettings] = {}
    for name, (key, node) in sections.entries(SECTION).items():
        if not is_source_name(name):
            findings.error(
                key.mark, f"{name!r}: a heartbeat's name is part of its path: letters, digits, '.', '_', '-'"
            )
        if not isinstance(node, Mapping):
            findings.error(node.mark, f"{SECTION}.{name} is a mapping such as `{{every: 5m}}`")
            continue
        before = len(fields.missing)
        data = fields.read_model(node, HeartbeatSettings, (SECTION, name))
        fields.refuse_missing(before)
        settings = validate_model(HeartbeatSettings, data, node, f"{SECTION}.{name}", findings)
        _judge_source(node, sections, findings)
        if settings is not None:
            found[name] = settings
    return found


def _judge_source(node: Mapping, sections: Sections, findings: Findings) -> None:
    named = node.get("source")
    known = {*sections.entries("sources"), API} if "sources" in sections.given else {"default", API}
    if isinstance(named, Scalar) and not is_null(named) and named.text not in known:
        findings.error(named.mark, f"there is no source {named.text!r}{did_you_mean(named.text, known)}")
