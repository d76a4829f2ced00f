"""An index over conditions: of many things that each have matchers, the few that labels may match at all.

A thing that asks for `team="a"`, or for `team=~"a|b"`, is looked at only for labels with such a value; one that asks for
no value is looked at always.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, TypeVar

from bridge.routing.matchers import Matcher

T = TypeVar("T")

Asked = tuple[str, frozenset[str]]
"""A label, and the values of which it must have one."""

_WORDS = re.compile(r"[^\\.+*?()|\[\]{}^$]+(?:\|[^\\.+*?()|\[\]{}^$]+)*")
_WRAPPED = re.compile(r"\^?\((?:\?:)?(.*)\)\$?", re.DOTALL)


class Index(Generic[T]):
    """Things in an order, by the values that they ask for: each by the one of its conditions that tells most."""

    def __init__(self, things: Iterable[T], matchers: Callable[[T], Sequence[Matcher]]) -> None:
        self._things = tuple(things)
        asked = [[found for matcher in matchers(thing) if (found := _asked(matcher))] for thing in self._things]
        times = Counter((name, value) for one in asked for name, values in one for value in values)
        always: list[int] = []
        by_label: dict[str, dict[str, list[int]]] = {}
        for place, one in enumerate(asked):
            if not one:
                always.append(place)
                continue
            name, values = min(one, key=lambda each: sum(times[each[0], value] for value in each[1]))
            for value in values:
                by_label.setdefault(name, {}).setdefault(value, []).append(place)
        self._always = always
        self._by_label = by_label

    @property
    def narrows(self) -> bool:
        """Whether labels with a value that is asked for leave, on the average, at most half of the things to look at."""
        sizes = [len(places) for by_value in self._by_label.values() for places in by_value.values()]
        return bool(sizes) and len(self._always) + sum(size**2 for size in sizes) / sum(sizes) <= len(self._things) / 2

    def candidates(self, labels: Mapping[str, str]) -> Sequence[T]:
        """Everything whose matchers may all match, and little else, in the given order."""
        by_label, things = self._by_label, self._things
        places: Sequence[int] = self._always
        if len(places) == len(things):
            return things
        for name in by_label if len(by_label) <= len(labels) else labels:
            if (value := labels.get(name)) and name in by_label and (more := by_label[name].get(value)):
                places = sorted((*places, *more)) if places else more
        return [things[place] for place in places]


def _asked(matcher: Matcher) -> Asked | None:
    """None if other values match too, or none at all does: a label that is missing has no value to look up."""
    if matcher.op == "=" and matcher.value:
        return matcher.name, frozenset((matcher.value,))
    words = _words(matcher.value) if matcher.op == "=~" else ()
    return (matcher.name, frozenset(words)) if words else None


def _words(pattern: str) -> Sequence[str]:
    """`a|b`, alone or in one group, as its words; empty if the pattern is anything else."""
    while wrapped := _WRAPPED.fullmatch(pattern):
        pattern = wrapped[1]
    return pattern.split("|") if _WORDS.fullmatch(pattern) else ()
