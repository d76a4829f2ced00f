"""Which severity is worse."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct


class Severities(Struct, frozen=True):
    """`label` names the label; `order` lists its values, worst first. Values not listed are milder than all listed."""

    label: str = "severity"
    order: tuple[str, ...] = ("critical", "error", "warning", "info")

    def of(self, labels: Mapping[str, str]) -> str:
        return labels.get(self.label, "")

    def rank(self, severity: str) -> int:
        """0 is worst."""
        if severity in self.order:
            return self.order.index(severity)
        return len(self.order) + (not severity)

    def worst(self, severities: Iterable[str]) -> str:
        """The worst one; empty for none."""
        return min(severities, key=self.rank, default="")

    def rises(self, before: str, after: str) -> bool:
        return self.rank(after) < self.rank(before)
