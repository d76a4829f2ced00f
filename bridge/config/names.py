"""The names a configuration defines, for judging those it uses."""

from __future__ import annotations

from msgspec import Struct

from bridge.config.findings import Findings, Kind
from bridge.config.yaml_nodes import Scalar


class Names(Struct, frozen=True):
    channels: frozenset[str]
    receivers: frozenset[str]
    escalations: frozenset[str]
    intervals: frozenset[str]
    people: frozenset[str] = frozenset()
    schedules: frozenset[str] = frozenset()

    def judge(self, node: Scalar, kind: Kind, findings: Findings) -> None:
        """An error if nothing of that kind has this name; a channel's name is a receiver too."""
        known = self._of(kind)
        if node.text not in known:
            findings.unknown_name(node.mark, kind, node.text, known)

    def _of(self, kind: Kind) -> frozenset[str]:
        match kind:
            case "receiver":
                return self.receivers | self.channels
            case "channel":
                return self.channels
            case "escalation":
                return self.escalations
            case "person":
                return self.people
            case "schedule":
                return self.schedules
            case _:
                return self.intervals
