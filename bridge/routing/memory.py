"""What was found before for the same labels. Only labels that are asked about make a difference, so they alone are the key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

from bridge.routing.matchers import Matcher

T = TypeVar("T")

Key = tuple[str | None, ...]

_ANSWERS = 8192
_LENGTH = 1024  # characters of one question; hostile labels are long


class Memory(Generic[T]):
    """Answers by the values of the labels in `names`: bounded, and empty again when it is full.

    `answers` is open for reading: a question is asked for each alert, and a call costs as much as the look.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(sorted(set(names)))
        self.answers: dict[Key, T] = {}

    def key(self, labels: Mapping[str, str]) -> Key:
        return tuple(map(labels.get, self.names))

    def keep(self, key: Key, answer: T) -> T:
        """Remembers the answer, unless the question is too long, and gives it back."""
        if sum(map(len, filter(None, key))) <= _LENGTH:
            if len(self.answers) >= _ANSWERS:
                self.answers.clear()
            self.answers[key] = answer
        return answer


def names_in(*matchers: Iterable[Matcher]) -> set[str]:
    """The labels that these ask about."""
    return {matcher.name for some in matchers for matcher in some}
