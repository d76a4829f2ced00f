"""What one history is configured with: a route tree of its own, inhibition rules, silenced or muted times.

Everything here is a value with Alertmanager's meaning, written anew so that neither program judges itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

Labels = Mapping[str, str]
ALL = ("...",)


class Matcher(Struct, frozen=True):
    """`operator` is one of `=`, `!=`, `=~`, `!~`; a label that is missing is the empty text."""

    name: str
    operator: str
    value: str

    def matches(self, labels: Labels) -> bool:
        found = labels.get(self.name, "")
        same = re.fullmatch(self.value, found) is not None if "~" in self.operator else found == self.value
        return same != self.operator.startswith("!")

    def __str__(self) -> str:
        return f'{self.name}{self.operator}"{self.value}"'


class Interval(Struct, frozen=True):
    """When it contains the moment: always, never, or from (until) the one boundary of a batch, which is a full minute."""

    name: str
    kind: str

    def contains(self, at: float, boundary: float) -> bool:
        return {"always": True, "never": False, "until": at < boundary, "from": at >= boundary}[self.kind]


INTERVALS = {kind: Interval(f"interval-{kind}", kind) for kind in ("always", "never", "until", "from")}


class Node(Struct, frozen=True):
    """One route. None means inherited; spans are seconds."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    continues: bool = False
    group_by: tuple[str, ...] | None = None
    wait: float | None = None
    interval: float | None = None
    repeat: float | None = None
    mute: tuple[str, ...] = ()
    active: tuple[str, ...] = ()
    routes: tuple[Node, ...] = ()


class Leaf(Struct, frozen=True):
    """A node with everything inherited filled in."""

    receiver: str
    group_by: tuple[str, ...]
    wait: float
    interval: float
    repeat: float
    mute: tuple[str, ...]
    active: tuple[str, ...]


ROOT = Leaf("root", (), 0.5, 1.0, 3600.0, (), ())
"""What a history's topmost route inherits."""


class Rule(Struct, frozen=True):
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...]


class Setting(Struct, frozen=True):
    """`receivers` says for each whether ends are sent to it. `name` is the value of the label `history`."""

    name: str
    route: Node
    receivers: dict[str, bool]
    rules: tuple[Rule, ...] = ()


def all_match(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    return all(matcher.matches(labels) for matcher in matchers)


def leaves(node: Node, labels: Labels, above: Leaf = ROOT) -> Iterator[Leaf]:
    """Where an alert goes: the deepest routes that match, left to right, `continue` obeyed."""
    here = _inherit(node, above)
    found = False
    for child in node.routes:
        if all_match(child.matchers, labels):
            found = True
            yield from leaves(child, labels, here)
            if not child.continues:
                break
    if not found:
        yield here


def group_labels(leaf: Leaf, labels: Labels) -> tuple[tuple[str, str], ...]:
    names = labels.keys() if leaf.group_by == ALL else leaf.group_by
    return tuple(sorted((name, labels[name]) for name in names if name in labels))


def _inherit(node: Node, above: Leaf) -> Leaf:
    return Leaf(
        node.receiver,
        above.group_by if node.group_by is None else node.group_by,
        above.wait if node.wait is None else node.wait,
        above.interval if node.interval is None else node.interval,
        above.repeat if node.repeat is None else node.repeat,
        node.mute,
        node.active,
    )
