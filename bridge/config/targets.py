"""Whom a configuration names to be told: `NAME`, `{person: NAME}` or `{on_call: SCHEDULE}`."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from bridge.config.findings import Findings
from bridge.config.names import Names
from bridge.config.values import Section
from bridge.config.yaml_nodes import Mapping, Node, Scalar
from bridge.domain.target import Target, TargetKind


class SomebodyEntry(Section):
    """A person, or whoever is on call when it comes to it."""

    person: str | None = Field(default=None, min_length=1)
    on_call: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.person is None) == (self.on_call is None):
            raise ValueError("write {person: NAME} or {on_call: SCHEDULE}")
        return self


def _word(value: object) -> object:
    if isinstance(value, str) and Target.of(value).kind is not TargetKind.RECEIVER:
        kind, _, name = value.partition("/")
        raise ValueError(f"write {{{kind}: {name}}}")
    if not isinstance(value, dict):
        return value
    entry = SomebodyEntry.model_validate(value)
    if entry.person is not None:
        return str(Target(TargetKind.PERSON, entry.person))
    return str(Target(TargetKind.ON_CALL, entry.on_call or ""))


TargetText = Annotated[str, Field(min_length=1), BeforeValidator(_word, json_schema_input_type=str | SomebodyEntry)]
"""The word for whom an entry names: see `bridge.domain.target`."""
TARGET: TypeAdapter[str] = TypeAdapter(TargetText)


def judge_target(
    node: Node, names: Names, findings: Findings, plain: Literal["receiver", "channel"] = "receiver"
) -> None:
    """An error if there is nobody of that name. A node of another form is judged by its model. `plain`: what a bare name is."""
    if isinstance(node, Scalar):
        names.judge(node, plain, findings)
    elif isinstance(node, Mapping):
        for key, value in node.pairs:
            if isinstance(value, Scalar) and not value.is_null and key.text == "person":
                names.judge(value, "person", findings)
            elif isinstance(value, Scalar) and not value.is_null and key.text == "on_call":
                names.judge(value, "schedule", findings)
