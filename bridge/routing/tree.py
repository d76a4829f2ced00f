"""Which routes take an alert, and what group it joins there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from bridge.routing.route import Route

_REMEMBERED_TREES = 4
_REMEMBERED_ANSWERS = 8192
_REMEMBERED_LENGTH = 1024  # characters of one question; hostile labels are long


class _Memory(Struct, frozen=True):
    """What was found before. Only labels that the tree asks about make a difference, so they alone are the key."""

    tree: Route  # kept, so that its id cannot pass to another tree meanwhile
    names: tuple[str, ...]
    answers: dict[tuple[str | None, ...], tuple[Route, ...]]


_memories: dict[int, _Memory] = {}


def find(route: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes that take an alert, in routing order; several where `continue` is set, none if the root refuses it.

    Depth first: among children the first that matches ends the search unless it continues; a node whose children
    all refuse takes the alert itself. Source: Alertmanager's routing tree.
    """
    memory = _memories.get(id(route)) or _remember(route)
    key = tuple(map(labels.get, memory.names))
    found = memory.answers.get(key)
    if found is None:
        found = tuple(_search(route, labels))
        if sum(len(value) for value in key if value) <= _REMEMBERED_LENGTH:
            if len(memory.answers) >= _REMEMBERED_ANSWERS:
                memory.answers.clear()
            memory.answers[key] = found
    return found


def group_labels(route: Route, labels: Mapping[str, str], sent: Mapping[str, str]) -> dict[str, str]:
    """The labels that name the alert's group on this route.

    `group_by` picks them from the alert, leaving out those it does not have; `['...']` takes all. Where nothing
    groups, the sender's grouping `sent` holds.
    """
    if route.group_by_all:
        return dict(labels)
    if route.group_by is None:
        return dict(sent)
    return {name: labels[name] for name in route.group_by if labels.get(name)}


def _remember(tree: Route) -> _Memory:
    while len(_memories) >= _REMEMBERED_TREES:
        _memories.pop(next(iter(_memories)), None)
    memory = _Memory(tree, tuple(sorted(set(_names(tree)))), {})
    _memories[id(tree)] = memory
    return memory


def _names(route: Route) -> Iterator[str]:
    yield from (matcher.name for matcher in route.matchers)
    for child in route.routes:
        yield from _names(child)


def _search(route: Route, labels: Mapping[str, str]) -> list[Route]:
    for matcher in route.matchers:
        if not matcher.matches(labels):
            return []
    found: list[Route] = []
    for child in route.routes:
        below = _search(child, labels)
        found += below
        if below and not child.continues:
            break
    return found or [route]
