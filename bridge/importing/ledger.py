"""What became of every key of the original.

The tree is read through `Place`s. Whoever reads one says what became of it; what nobody said anything about is listed
as left out when the ledger is closed. So a key cannot be dropped without a word, not even one that nobody foresaw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from bridge.config.problems import Mark
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null
from bridge.domain.errors import ConfigError

Outcome = Literal["mapped", "noted", "left_out"]
Path = tuple[str | int, ...]

_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})


class Entry(Struct, frozen=True):
    """What became of one key and all below it.

    `mapped`: it is in our configuration at `to`. `noted`: it needs no counterpart, and `how` says why. `left_out`: it
    has none; `how` says why, `instead` what happens in its place.
    """

    path: str
    at: str
    outcome: Outcome
    to: str = ""
    how: str = ""
    instead: str = ""


class Ledger:
    """Entries by the path of the key in the original."""

    def __init__(self) -> None:
        self._entries: dict[Path, list[tuple[Mark, Entry]]] = {}

    def add(self, place: Place, outcome: Outcome, *, to: str = "", how: str = "", instead: str = "") -> None:
        entry = Entry(written(place.path), str(place.mark), outcome, to, how, instead)
        found = self._entries.setdefault(place.path, [])
        if all(other != entry for _mark, other in found):
            found.append((place.mark, entry))

    def knows(self, path: Path) -> bool:
        return path in self._entries

    def close(self, root: Place) -> tuple[Entry, ...]:
        """All entries in the order of the original, after whatever was not read was listed as left out."""
        for place in self._unread(root):
            if place.is_null:
                place.noted("it has no value")
            else:
                place.left("no key of this name is known here", "it has no effect")
        entries = [found for entries in self._entries.values() for found in entries]
        entries.sort(key=lambda found: (found[0].line, found[0].column))
        return tuple(entry for _mark, entry in entries)

    def _unread(self, place: Place) -> Iterator[Place]:
        """The topmost places below which nothing was read."""
        if self.knows(place.path):
            return
        below = place.below()
        if not below or not any(self.read_within(child) for child in below):
            yield place
            return
        for child in below:
            yield from self._unread(child)

    def read_within(self, place: Place) -> bool:
        return self.knows(place.path) or any(self.read_within(child) for child in place.below())


class Place:
    """A node of the original, where it stands, and the ledger it answers to."""

    def __init__(self, node: Node, path: Path, mark: Mark, ledger: Ledger) -> None:
        self._node = node
        self.path = path
        self.mark = mark
        self._ledger = ledger

    @property
    def is_null(self) -> bool:
        return is_null(self._node)

    @property
    def is_scalar(self) -> bool:
        return isinstance(self._node, Scalar)

    @property
    def is_read(self) -> bool:
        """Whether anything was said of it or of what is below it."""
        return self._ledger.read_within(self)

    @property
    def is_list(self) -> bool:
        return isinstance(self._node, Sequence)

    @property
    def name(self) -> str:
        """The last key of the path."""
        return str(self.path[-1]) if self.path else ""

    def get(self, key: str) -> Place | None:
        """What stands under the key; None if nothing or null does.

        Raises:
            ConfigError: this is no mapping.
        """
        return next((place for name, place in self.pairs() if name == key and not place.is_null), None)

    def pairs(self) -> list[tuple[str, Place]]:
        """Keys and what stands under them; a null is an empty mapping. A key's place is where the key stands."""
        if self.is_null:
            return []
        if not isinstance(self._node, Mapping):
            raise ConfigError(f"{self.mark}: {written(self.path)} is a mapping of keys to values")
        return [
            (key.text, Place(value, (*self.path, key.text), key.mark, self._ledger)) for key, value in self._node.pairs
        ]

    def items(self) -> list[Place]:
        """The items of a list; a null is an empty one.

        Raises:
            ConfigError: this is no list.
        """
        if self.is_null:
            return []
        if not isinstance(self._node, Sequence):
            raise ConfigError(f"{self.mark}: {written(self.path)} is a list")
        return [
            Place(item, (*self.path, index), item.mark, self._ledger) for index, item in enumerate(self._node.items)
        ]

    def below(self) -> list[Place]:
        if isinstance(self._node, Mapping):
            return [place for _key, place in self.pairs()]
        return self.items() if isinstance(self._node, Sequence) else []

    def text(self) -> str:
        """The text of a scalar; null is empty.

        Raises:
            ConfigError: this is no scalar.
        """
        if not isinstance(self._node, Scalar):
            raise ConfigError(f"{self.mark}: {written(self.path)} is one value")
        return "" if self.is_null else self._node.text

    def flag(self) -> bool:
        """A boolean as YAML 1.1 writes it.

        Raises:
            ConfigError: it is none.
        """
        text = self.text()
        if text not in _TRUE | _FALSE:
            raise ConfigError(f"{self.mark}: {written(self.path)} is true or false")
        return text in _TRUE

    def mapped(self, to: str, how: str = "") -> None:
        self._ledger.add(self, "mapped", to=to, how=how)

    def noted(self, how: str) -> None:
        self._ledger.add(self, "noted", how=how)

    def left(self, how: str, instead: str = "") -> None:
        self._ledger.add(self, "left_out", how=how, instead=instead)


def written(path: Path) -> str:
    """`receivers[0].slack_configs[1].channel`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"
