"""Judges what the steps of an escalation name: who is told, what is run, and when."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Mapping as MappingType

from bridge.config.findings import Findings
from bridge.config.model import ChannelEntry
from bridge.config.names import Names
from bridge.config.targets import judge_target
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence

RUNNERS = frozenset({"exec", "webhook", "workflow"})
"""Types of channels that do something."""


def judge_names(steps: Node, names: Names, findings: Findings) -> None:
    """An error for each name that nothing has."""
    for item in _items(steps):
        if not isinstance(item, Mapping):
            continue
        for named in _items(item.get("notify")):
            judge_target(named, names, findings)
        condition = item.get("if")
        if isinstance(condition, Mapping):
            for named in _scalars(condition.get("time_intervals")):
                names.judge(named, "time interval", findings)


def judge_runs(steps: Node, channels: MappingType[str, ChannelEntry], findings: Findings) -> None:
    """An error for what is run and is no channel that does something."""
    for item in _items(steps):
        for named in _scalars(item.get("run")) if isinstance(item, Mapping) else ():
            entry = channels.get(named.text)
            if entry is None:
                findings.unknown_name(named.mark, "channel", named.text, channels)
            elif entry.type not in RUNNERS:
                findings.error(
                    named.mark,
                    f"run: {named.text!r} is a {entry.type} channel; run takes {', '.join(sorted(RUNNERS))}. "
                    "Whom to tell is said by notify",
                )


def _items(node: Node | None) -> tuple[Node, ...]:
    return tuple(node.items) if isinstance(node, Sequence) else ()


def _scalars(node: Node | None) -> Iterator[Scalar]:
    for one in (node,) if isinstance(node, Scalar) else _items(node):
        if isinstance(one, Scalar) and not one.is_null:
            yield one
