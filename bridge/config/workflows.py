"""Workflows among the channels: each is one under its own name, whether it is written there or not."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from pathlib import Path

from bridge.config.findings import Findings
from bridge.config.problems import Mark, did_you_mean
from bridge.config.sections import Sections
from bridge.config.yaml_nodes import Mapping, Node, Scalar

_TYPE = "workflow"


def add_workflows(sections: Sections, workflows: MappingType[str, Path], findings: Findings) -> None:
    """Put the workflows that are not written among the channels there; judge the channels that name one."""
    written = sections.names.setdefault("channels", {})
    for key, node in written.values():
        _judge(key, node, workflows, findings)
    places = {str(Path(item.text)): item.mark for item in _plugin_files(sections)}
    for name, file in workflows.items():
        mark = places.get(str(file), Mark(str(file), 1, 1))
        kind = Mapping(mark, ((Scalar(mark, "type"), Scalar(mark, _TYPE)),))
        written.setdefault(name, (Scalar(mark, name), kind))


def _plugin_files(sections: Sections) -> Iterator[Scalar]:
    for listed in sections.lists.get("plugins", []):
        yield from (item for item in listed.items if isinstance(item, Scalar))


def _judge(key: Scalar, node: Node, workflows: MappingType[str, Path], findings: Findings) -> None:
    kind = node.get("type") if isinstance(node, Mapping) else None
    if not isinstance(kind, Scalar) or not isinstance(node, Mapping):
        return
    named = node.get("workflow")
    if kind.text == _TYPE:
        wanted = named if isinstance(named, Scalar) else key
        if wanted.text not in workflows:
            text = f"there is no workflow {wanted.text!r} in the plugin files{did_you_mean(wanted.text, workflows)}"
            findings.error(wanted.mark, text)
    elif key.text in workflows:
        findings.error(
            key.mark,
            f"the channel {key.text!r} has the name of a workflow of {workflows[key.text]}; rename one of them",
        )
