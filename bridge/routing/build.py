"""From the route section of a configuration, already read from YAML, to the tree that routes.

Inheritance is Alertmanager's: receiver, grouping and timing come from the parent unless set; matchers, `continue` and
time intervals do not. Hooks come from the parent too; a root without hooks has `dedupe`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.errors import ConfigError
from bridge.routing.matchers import Matcher, from_match, in_order, parse_matchers
from bridge.routing.route import HookCall, Route

GROUP_BY_ALL = "..."


class RouteSpec(Struct, frozen=True):
    """One route as written. None means "not set": inherited. `where` is `file:line:column`.

    `matchers` are texts, each one matcher or a list; `match` and `match_re` are the older form. `group_by` may be
    `("...",)`; an empty one groups everything together, also under a parent that groups (Alertmanager 0.31 and later).
    """

    name: str | None = None
    receiver: str | None = None
    matchers: tuple[str, ...] = ()
    match: Mapping[str, str] = {}
    match_re: Mapping[str, str] = {}
    group_by: tuple[str, ...] | None = None
    continues: bool = False
    hooks: tuple[HookCall, ...] | None = None
    group_wait: timedelta | None = None
    group_interval: timedelta | None = None
    repeat_interval: timedelta | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    routes: tuple[RouteSpec, ...] = ()
    where: str = ""


class RouteProblem(Struct, frozen=True):
    """One thing that is wrong with a route. `where` is the route's."""

    where: str
    message: str


def find_problems(root: RouteSpec) -> tuple[RouteProblem, ...]:
    """Everything that keeps `build` from building, in the order of the file; empty if nothing does."""
    found = [*_root_problems(root)]
    names: dict[str, str] = {}
    for spec in _walk(root):
        found += [RouteProblem(spec.where, message) for message in _problems(spec)]
        if spec.name in names:
            earlier = names[spec.name] or "another route"
            found.append(RouteProblem(spec.where, f"the route name {spec.name!r} is already taken by {earlier}"))
        elif spec.name is not None:
            names[spec.name] = spec.where
    return tuple(found)


def build(root: RouteSpec) -> Route:
    """The tree with everything inherited filled in and every route's id given.

    Raises:
        ConfigError: the specification has problems; all of them, one a line, as `where: message`.
    """
    problems = find_problems(root)
    if problems:
        raise ConfigError("\n".join(f"{problem.where}: {problem.message}" for problem in problems))
    hooks = (HookCall("dedupe", where=root.where),) if root.hooks is None else root.hooks
    ids = _Ids(spec.name for spec in _walk(root) if spec.name is not None)
    return _node(root, RouteSpec(receiver=root.receiver, hooks=hooks), "", ids)


class _Ids:
    """Gives each route an id of its own: its name, else its path of receivers with an ordinal where that is taken."""

    def __init__(self, names: Iterator[str]) -> None:
        self._taken = set(names)
        self._seen: Counter[str] = Counter()

    def of(self, spec: RouteSpec, path: str) -> str:
        if spec.name is not None:
            return spec.name
        found = path
        while True:
            self._seen[path] += 1
            if self._seen[path] > 1:
                found = f"{path}#{self._seen[path]}"
            if found not in self._taken:
                self._taken.add(found)
                return found


def _node(spec: RouteSpec, parent: RouteSpec, parent_path: str, ids: _Ids) -> Route:
    full = _inherit(spec, parent)
    receiver = full.receiver or ""
    path = f"{parent_path}/{receiver}" if parent_path else receiver
    return Route(
        id=ids.of(spec, path),
        receiver=receiver,
        matchers=_matchers(spec),
        group_by=None if full.group_by in {None, (GROUP_BY_ALL,)} else full.group_by,
        group_by_all=full.group_by == (GROUP_BY_ALL,),
        continues=spec.continues,
        hooks=full.hooks or (),
        group_wait=full.group_wait,
        group_interval=full.group_interval,
        repeat_interval=full.repeat_interval,
        mute_time_intervals=spec.mute_time_intervals,
        active_time_intervals=spec.active_time_intervals,
        routes=tuple(_node(child, full, path, ids) for child in spec.routes),
        where=spec.where,
    )


def _inherit(spec: RouteSpec, parent: RouteSpec) -> RouteSpec:
    return replace(
        spec,
        receiver=spec.receiver or parent.receiver,
        group_by=parent.group_by if spec.group_by is None else spec.group_by,
        hooks=parent.hooks if spec.hooks is None else spec.hooks,
        group_wait=parent.group_wait if spec.group_wait is None else spec.group_wait,
        group_interval=parent.group_interval if spec.group_interval is None else spec.group_interval,
        repeat_interval=parent.repeat_interval if spec.repeat_interval is None else spec.repeat_interval,
    )


def _matchers(spec: RouteSpec) -> tuple[Matcher, ...]:
    written = [matcher for text in spec.matchers for matcher in parse_matchers(text)]
    return in_order([*written, *from_match(spec.match, spec.match_re)])


def _walk(spec: RouteSpec) -> Iterator[RouteSpec]:
    yield spec
    for child in spec.routes:
        yield from _walk(child)


def _root_problems(root: RouteSpec) -> Iterator[RouteProblem]:
    if not root.receiver:
        yield RouteProblem(root.where, "the root route needs a receiver")
    if root.matchers or root.match or root.match_re:
        yield RouteProblem(root.where, "the root route takes every alert: it cannot have matchers")
    if root.continues:
        yield RouteProblem(root.where, "the root route has no siblings: it cannot have continue")
    if root.mute_time_intervals or root.active_time_intervals:
        yield RouteProblem(root.where, "the root route cannot have time intervals: put them on a child route")


def _problems(spec: RouteSpec) -> Iterator[str]:
    yield from _matcher_problems(spec)
    group_by = spec.group_by or ()
    if GROUP_BY_ALL in group_by and len(group_by) > 1:
        yield f"group_by: {GROUP_BY_ALL!r} groups by all labels and must stand alone"
    yield from (f"group_by: {name!r} stands there twice" for name, times in Counter(group_by).items() if times > 1)
    if "" in group_by:
        yield "group_by: a label name cannot be empty"
    if spec.repeat_interval == timedelta():
        yield "repeat_interval must be longer than 0s"


def _matcher_problems(spec: RouteSpec) -> Iterator[str]:
    for text in spec.matchers:
        try:
            parse_matchers(text)
        except ValueError as error:
            yield f"matchers: {error}"
    for name, pattern in spec.match_re.items():
        try:
            from_match({}, {name: pattern})
        except ValueError as error:
            yield f"match_re: {name}: {error}"
