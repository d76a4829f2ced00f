"""Whom a step, a page or a route names: a receiver, a person, or whoever is on call.

In one word a person is `person/NAME` and whoever is on call `on_call/SCHEDULE`; everything else is a receiver or a channel.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class TargetKind(StrEnum):
    RECEIVER = "receiver"
    PERSON = "person"
    ON_CALL = "on_call"


class Target(Struct, frozen=True):
    kind: TargetKind
    name: str

    @classmethod
    def of(cls, word: str) -> Target:
        """What a word names."""
        for kind in (TargetKind.PERSON, TargetKind.ON_CALL):
            if word.startswith(f"{kind.value}/"):
                return cls(kind, word.partition("/")[2])
        return cls(TargetKind.RECEIVER, word)

    def __str__(self) -> str:
        """The word for it."""
        return self.name if self.kind is TargetKind.RECEIVER else f"{self.kind.value}/{self.name}"


def together(one: str, other: str) -> str:
    """Two texts of names that are joined by `/`, as one; each name once."""
    return "/".join(name for name in dict.fromkeys((*one.split("/"), *other.split("/"))) if name)
