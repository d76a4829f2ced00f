"""Inhibition: while an alert of the source side fires, alerts of the target side with the same `equal` labels are muted.

Source of the meaning: Alertmanager's inhibition. Which alerts fire is for the caller to know: here is what a rule says
of one alert's labels, as two digests that source and target share.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import Struct

from bridge.routing.index import Index
from bridge.routing.matchers import Matcher, in_order, match_all
from bridge.routing.memory import Memory, names_in


class Rule(Struct, frozen=True):
    """One rule. The order of matchers and of `equal` means nothing; `name` is for people."""

    source: tuple[Matcher, ...] = ()
    target: tuple[Matcher, ...] = ()
    equal: tuple[str, ...] = ()
    name: str = ""

    @property
    def key(self) -> str:
        """SHA-256 (hex) of what the rule says. The name is left out: rules that say the same have one key."""
        sides = [
            [part for matcher in in_order(side) for part in _parts(matcher)] for side in (self.source, self.target)
        ]
        return _digest([*sides[0], "\0target", *sides[1], "\0equal", *sorted(set(self.equal))])


class Side(Struct, frozen=True):
    """That labels are on one side of a rule.

    A target is muted by a firing source with the same `rule` and `equals`, unless `both` holds for both of them: it
    says that the labels match the source side and the target side. `equals` is a digest of the values of the rule's
    `equal` labels; a label that is missing is the empty text.
    """

    rule: str
    equals: str
    both: bool


class _Known(Struct, frozen=True):
    """A rule with what is worked out once."""

    rule: Rule
    key: str
    equal: tuple[str, ...]

    def side(self, labels: Mapping[str, str], *, both: bool) -> Side:
        return Side(self.key, _digest(labels.get(name, "") for name in self.equal), both)


_Matchers = Callable[[_Known], Sequence[Matcher]]


class Inhibition:
    """All rules of a configuration, in its order. Rules that say the same count once."""

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        first: dict[str, Rule] = {}
        for rule in rules:
            first.setdefault(rule.key, rule)
        known = [_Known(rule, key, tuple(sorted(set(rule.equal)))) for key, rule in first.items()]
        self.keys = frozenset(first)
        self._by_source = Index(known, _source)
        self._by_target = Index(known, _target)
        names = {name for one in known for name in one.equal} | names_in(*map(_source, known), *map(_target, known))
        self._sources: Memory[tuple[Side, ...]] = Memory(names)
        self._targets: Memory[tuple[Side, ...]] = Memory(names)

    def sources(self, labels: Mapping[str, str]) -> tuple[Side, ...]:
        """The rules in which an alert with these labels mutes others while it fires."""
        key = self._sources.key(labels)
        found = self._sources.answers.get(key)
        return self._sources.keep(key, _sides(self._by_source, _source, _target, labels)) if found is None else found

    def targets(self, labels: Mapping[str, str]) -> tuple[Side, ...]:
        """The rules by which an alert with these labels may be muted."""
        key = self._targets.key(labels)
        found = self._targets.answers.get(key)
        return self._targets.keep(key, _sides(self._by_target, _target, _source, labels)) if found is None else found

    def __bool__(self) -> bool:
        return bool(self.keys)


def _source(known: _Known) -> Sequence[Matcher]:
    return known.rule.source


def _target(known: _Known) -> Sequence[Matcher]:
    return known.rule.target


def _sides(index: Index[_Known], side: _Matchers, other: _Matchers, labels: Mapping[str, str]) -> tuple[Side, ...]:
    return tuple(
        known.side(labels, both=match_all(other(known), labels))
        for known in index.candidates(labels)
        if match_all(side(known), labels)
    )


def _parts(matcher: Matcher) -> tuple[str, str, str]:
    return matcher.name, matcher.op, matcher.value


def _digest(texts: Iterable[str]) -> str:
    """Each text with its length before it, so that no two lists run into one."""
    found = hashlib.sha256()
    for text in texts:
        data = text.encode(errors="surrogatepass")
        found.update(b"%d:" % len(data))
        found.update(data)
    return found.hexdigest()
