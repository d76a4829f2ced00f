"""The `route:` section and the `routes:` of team files, read into what `bridge.routing.build` builds from."""

from __future__ import annotations

from typing import Annotated

from msgspec.structs import replace
from pydantic import AfterValidator, BeforeValidator, Field

from bridge.config.findings import Findings
from bridge.config.hook_calls import HookReader
from bridge.config.model_types import fields_by_key
from bridge.config.names import Names
from bridge.config.problems import Mark, did_you_mean
from bridge.config.targets import TargetText, judge_target
from bridge.config.validation import validate_model
from bridge.config.values import Section, one_or_many
from bridge.config.yaml_nodes import Mapping, Node, Scalar, Sequence, is_null, plain
from bridge.domain.options import Duration
from bridge.routing.build import RouteSpec, build, find_problems
from bridge.routing.matchers import from_match, parse_matchers
from bridge.routing.route import Route


def _matchers(text: str) -> str:
    parse_matchers(text)
    return text


def _pattern(text: str) -> str:
    from_match({}, {"": text})
    return text


MatcherTexts = Annotated[
    tuple[Annotated[str, AfterValidator(_matchers)], ...],
    BeforeValidator(one_or_many, json_schema_input_type=list[str] | str),
]
"""Matchers as they are written; each text is one matcher or a list of them."""
Patterns = dict[str, Annotated[str, AfterValidator(_pattern)]]


class RouteSettings(Section):
    """One route without what is below it. The words are Alertmanager's; `name` and `hooks` are ours."""

    name: str | None = Field(default=None, min_length=1, max_length=200)
    receiver: TargetText | None = None
    matchers: MatcherTexts = ()
    match: dict[str, str] = Field(default={}, description="older form of matchers")
    match_re: Patterns = Field(default={}, description="older form of matchers")
    continues: bool = Field(default=False, alias="continue")
    group_by: tuple[str, ...] | None = None
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    labels: dict[str, str] = Field(default={})


_PLAIN_FIELDS = (
    "name",
    "receiver",
    "matchers",
    "match",
    "match_re",
    "continues",
    "group_by",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "mute_time_intervals",
    "active_time_intervals",
)
_BELOW = frozenset({"routes", "hooks"})  # read by themselves, so that their errors are judged in their place


class RouteReader:
    """Reads route nodes; what they name must exist."""

    def __init__(self, names: Names, hooks: HookReader, findings: Findings) -> None:
        self._names = names
        self._hooks = hooks
        self._findings = findings
        self._marks: dict[str, Mark] = {}

    def read_tree(self, root: Mapping, team_routes: tuple[Node, ...]) -> Route | None:
        """The whole tree; team routes follow the root's own children. None if anything in it is wrong."""
        before = self._findings.error_count
        spec = self._read(root)
        team = [self._judged_team_route(child) for node in team_routes for child in self._children(node)]
        spec = replace(spec, routes=(*spec.routes, *team))
        for found in find_problems(spec):
            self._findings.error(self._marks.get(found.where, root.mark), found.message)
        return build(spec) if self._findings.error_count == before else None

    def _judged_team_route(self, spec: RouteSpec) -> RouteSpec:
        if not (spec.matchers or spec.match or spec.match_re):
            self._findings.error(
                self._marks[spec.where],
                "a team's route needs matchers: without them it takes every alert that came so far",
            )
        return spec

    def _children(self, node: Node | None) -> list[RouteSpec]:
        if node is None or is_null(node):
            return []
        if not isinstance(node, Sequence):
            self._findings.error(node.mark, "routes is a list of routes")
            return []
        children = []
        for item in node.items:
            if isinstance(item, Mapping):
                children.append(self._read(item))
            else:
                self._findings.error(item.mark, "a route is a mapping, such as `{matchers: [...], receiver: NAME}`")
        return children

    def _read(self, node: Mapping) -> RouteSpec:
        """What is right about the node; the rest is reported."""
        where = str(node.mark)
        self._marks[where] = node.mark
        hooks = node.get("hooks")
        children = tuple(self._children(node.get("routes")))
        calls = None if hooks is None else self._hooks.read_list(hooks)
        settings = self._settings(node)
        if settings is None:
            return RouteSpec(receiver="?", routes=children, where=where)
        self._judge_names(node)
        self._warn(node)
        return RouteSpec(
            **{name: getattr(settings, name) for name in _PLAIN_FIELDS}, hooks=calls, routes=children, where=where
        )

    def _settings(self, node: Mapping) -> RouteSettings | None:
        known = {*fields_by_key(RouteSettings), *_BELOW}
        own = []
        for key, value in node.pairs:
            if key.text not in known:
                self._findings.error(key.mark, f"a route has no key {key.text!r}{did_you_mean(key.text, known)}")
            elif key.text not in _BELOW and not is_null(value):
                own.append((key, value))
        rest = Mapping(node.mark, tuple(own))
        return validate_model(RouteSettings, plain(rest), rest, "", self._findings)

    def _judge_names(self, node: Mapping) -> None:
        receiver = node.get("receiver")
        if receiver is not None:
            judge_target(receiver, self._names, self._findings)
        for key in ("mute_time_intervals", "active_time_intervals"):
            named = node.get(key)
            for item in named.items if isinstance(named, Sequence) else ():
                if isinstance(item, Scalar):
                    self._names.judge(item, "time interval", self._findings)

    def _warn(self, node: Mapping) -> None:
        if node.get("labels") is not None:
            self._findings.warning(
                node.key_mark("labels"), "a route's labels are read but have no effect in this version"
            )
