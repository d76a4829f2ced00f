"""Which routes take an alert, and what group it joins there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from bridge.routing.index import Index
from bridge.routing.matchers import Matcher
from bridge.routing.memory import Memory, names_in
from bridge.routing.route import Route

_REMEMBERED_TREES = 4
_WORTH_AN_INDEX = 8  # children; fewer are walked as fast

Indexes = Mapping[int, Index[Route]]
"""Over the children of a route, by the route's identity."""


class _Known(Struct, frozen=True):
    """A tree with what makes finding quick."""

    tree: Route  # kept, so that its id cannot pass to another tree meanwhile
    indexes: Indexes
    memory: Memory[tuple[Route, ...]]


_known: dict[int, _Known] = {}


def find(route: Route, labels: Mapping[str, str]) -> tuple[Route, ...]:
    """The routes that take an alert, in routing order; several where `continue` is set, none if the root refuses it.

    Depth first: among children the first that matches ends the search unless it continues; a node whose children
    all refuse takes the alert itself. Source: Alertmanager's routing tree.
    """
    known = _known.get(id(route)) or _prepare(route)
    memory = known.memory
    key = tuple(map(labels.get, memory.names))
    found = memory.answers.get(key)
    return memory.keep(key, tuple(_search(route, labels, known.indexes))) if found is None else found


def forget(route: Route) -> None:
    """Drops remembered answers; they come out as before, at the cost of a new alert."""
    if known := _known.get(id(route)):
        known.memory.answers.clear()


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


def _prepare(tree: Route) -> _Known:
    while len(_known) >= _REMEMBERED_TREES:
        _known.pop(next(iter(_known)), None)
    routes = tuple(_walk(tree))
    indexes = {id(route): Index(route.routes, _matchers) for route in routes if len(route.routes) >= _WORTH_AN_INDEX}
    indexes = {identity: index for identity, index in indexes.items() if index.narrows}
    known = _Known(tree, indexes, Memory(names_in(*(route.matchers for route in routes))))
    _known[id(tree)] = known
    return known


def _matchers(route: Route) -> Sequence[Matcher]:
    return route.matchers


def _walk(route: Route) -> Iterator[Route]:
    yield route
    for child in route.routes:
        yield from _walk(child)


def _search(route: Route, labels: Mapping[str, str], indexes: Indexes) -> list[Route]:
    for matcher in route.matchers:
        if not matcher.matches(labels):
            return []
    found: list[Route] = []
    children: Sequence[Route] = route.routes
    if len(children) >= _WORTH_AN_INDEX and (index := indexes.get(id(route))) is not None:
        children = index.candidates(labels)
    for child in children:
        below = _search(child, labels, indexes)
        found += below
        if below and not child.continues:
            break
    return found or [route]
