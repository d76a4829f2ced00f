"""One file's possible texts while a configuration is judged: as read, its last good one, none."""

from __future__ import annotations

from collections.abc import Mapping as MappingType

from bridge.config.documents import Document, parse_document
from bridge.config.findings import DEFINED_IN, Unknown
from bridge.config.problems import StandsIn
from bridge.config.yaml_nodes import Mapping, Scalar, Sequence


class Candidate:
    """Starts as `read`; `active` is the text that counts now, None if the bridge goes without the file."""

    def __init__(self, read: Document, last_good: Document | None, *, unchanged: bool) -> None:
        self.read = read
        self.active: Document | None = read
        self.unchanged = unchanged
        self._last_good = last_good

    @classmethod
    def of(cls, read: Document, last_good: MappingType[str, str]) -> Candidate:
        """A file and the text it had when it was last good. Marks in that text name it as such."""
        text = last_good.get(read.key)
        if text is None or text == read.text:
            return cls(read, None, unchanged=text is not None)
        return cls(read, parse_document(read.key, f"{read.label} (last good)", text.encode()), unchanged=False)

    @property
    def broken(self) -> bool:
        """Whether the file itself does not parse."""
        return any(found.severity == "error" for found in self.read.problems)

    @property
    def stands_in(self) -> StandsIn:
        """What is in force instead of the text as read; empty if that is."""
        if self.active is self.read:
            return ""
        return "nothing" if self.active is None else "last_good"

    @property
    def precedence(self) -> tuple[bool, bool, str]:
        """The order of merging. Of two files that define a name the later is at fault: never the main one, and not the
        one that did not change.
        """
        return not self.read.is_main, not self.unchanged, self.read.key

    @property
    def can_step_back_to_text(self) -> bool:
        return not self.read.is_main and self.active is self.read and self._last_good is not None

    def step_back(self) -> None:
        self.active = self._last_good if self.active is self.read else None
        if self.active is not None and self.active.root is None:
            self.active = None

    def defined_before(self, unknown: Unknown) -> bool:
        """Whether the last good text defined a name."""
        return self._last_good is not None and _defines(self._last_good, unknown)

    def defines(self, unknown: Unknown) -> bool:
        """Whether the text as read defines a name."""
        return _defines(self.read, unknown)


def _defines(document: Document, unknown: Unknown) -> bool:
    for section in DEFINED_IN[unknown.kind]:
        node = document.root.get(section) if document.root is not None else None
        if isinstance(node, Mapping) and node.get(unknown.name) is not None:
            return True
        if isinstance(node, Sequence):
            names = [item.get("name") for item in node.items if isinstance(item, Mapping)]
            if any(isinstance(name, Scalar) and name.text == unknown.name for name in names):
                return True
    return False
