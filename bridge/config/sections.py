"""Merges files section by section; what is defined twice is an error that names both places."""

from __future__ import annotations

from collections.abc import Mapping as MappingType
from collections.abc import Sequence as SequenceType
from typing import Literal

from msgspec import Struct, field

from bridge.config.acknowledgement import AcknowledgementSettings
from bridge.config.escalations import SeveritySettings
from bridge.config.findings import Findings
from bridge.config.outgoing import EgressSettings, ExecSettings, HttpSettings
from bridge.config.problems import Mark, did_you_mean
from bridge.config.senders import AccessSettings
from bridge.config.server import LogSettings, SecretsSettings, ServerSettings, StorageSettings, WatchSettings
from bridge.config.values import Section
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null

SETTINGS: MappingType[str, type[Section]] = {
    "server": ServerSettings,
    "storage": StorageSettings,
    "secrets": SecretsSettings,
    "access": AccessSettings,
    "severity": SeveritySettings,
    "acknowledgement": AcknowledgementSettings,
    "egress": EgressSettings,
    "http": HttpSettings,
    "exec": ExecSettings,
    "log": LogSettings,
    "watch": WatchSettings,
}
"""Sections that stand once; their keys may be spread over files."""

Shape = Literal["names", "list", "settings", "value", "route"]
SHAPES: MappingType[str, Shape] = {
    **dict.fromkeys(
        (
            "sources",
            "channels",
            "receivers",
            "escalations",
            "credentials",
            "people",
            "schedules",
            "heartbeats",
            "drills",
        ),
        "names",
    ),
    **dict.fromkeys(("hooks", "inhibit_rules", "time_intervals", "mute_time_intervals", "silences"), "list"),
    **dict.fromkeys(("plugins", "routes"), "list"),
    **dict.fromkeys(SETTINGS, "settings"),
    **dict.fromkeys(("fallback", "max_in_flight", "reopen_within", "resolve_timeout", "rehome_after"), "value"),
    "route": "route",
}
"""How each section is written."""


class Sections(Struct):
    """The merged configuration as nodes. `lists` keep one node a file, in the order of the documents."""

    names: dict[str, dict[str, tuple[Scalar, Node]]] = field(default_factory=dict)
    lists: dict[str, list[Sequence]] = field(default_factory=dict)
    settings: dict[str, Mapping] = field(default_factory=dict)
    values: dict[str, Scalar] = field(default_factory=dict)
    routes: list[tuple[Scalar, Mapping]] = field(default_factory=list)
    given: dict[str, Mark] = field(default_factory=dict)

    def entries(self, section: str) -> dict[str, tuple[Scalar, Node]]:
        return self.names.get(section, {})


def merge(roots: SequenceType[Mapping], findings: Findings) -> Sections:
    """Merge in the given order: of two definitions of a name the first holds, the second is the error."""
    sections = Sections()
    for root in roots:
        for key, node in root.pairs:
            _add(sections, key, node, findings)
    return sections


def _add(sections: Sections, key: Scalar, node: Node, findings: Findings) -> None:
    shape = SHAPES.get(key.text)
    if shape is None:
        findings.error(key.mark, f"unknown section {key.text!r}{did_you_mean(key.text, SHAPES)}")
        return
    sections.given.setdefault(key.text, key.mark)
    if not is_null(node):
        _add_given(sections, key, shape, node, findings)


def _add_given(sections: Sections, key: Scalar, shape: Shape, node: Node, findings: Findings) -> None:
    match shape, node:
        case "list", Sequence():
            sections.lists.setdefault(key.text, []).append(node)
        case "value", Scalar():
            first = sections.values.setdefault(key.text, node)
            if first is not node:
                findings.error(key.mark, f"{key.text} is given twice; first at {first.mark}")
        case "route", Mapping():
            sections.routes.append((key, node))
        case "settings", Mapping():
            _add_settings(sections, key.text, node, findings)
        case "names", Mapping():
            _add_names(sections.names.setdefault(key.text, {}), key.text, node, findings)
        case _:
            findings.error(node.mark, f"{key.text} is {_form(key.text, shape)}")


def _form(section: str, shape: Shape) -> str:
    if section == "receivers":
        return (
            "a mapping of names to lists of channels (`alertbridge import alertmanager` translates an alertmanager.yml)"
        )
    return {"list": "a list", "value": "one value"}.get(shape, "a mapping of keys to values")


def _add_settings(sections: Sections, section: str, node: Mapping, findings: Findings) -> None:
    earlier = sections.settings.get(section)
    if earlier is None:
        sections.settings[section] = node
        return
    known = {key.text: key for key, _ in earlier.pairs}
    fresh = []
    for key, value in node.pairs:
        if key.text in known:
            findings.error(key.mark, f"{section}.{key.text} is given twice; first at {known[key.text].mark}")
        else:
            fresh.append((key, value))
    sections.settings[section] = Mapping(earlier.mark, (*earlier.pairs, *fresh))


def _add_names(known: dict[str, tuple[Scalar, Node]], section: str, node: Mapping, findings: Findings) -> None:
    for key, value in node.pairs:
        first = known.setdefault(key.text, (key, value))
        if first[0] is not key:
            findings.error(key.mark, f"{section}: {key.text!r} is defined twice; first at {first[0].mark}")
