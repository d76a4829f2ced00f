"""A configuration as an alertmanager.yml that says the same: routes, receivers by name, inhibition, time intervals.

What has no counterpart is left out: hooks, names of routes and rules, channels. It holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import yaml

from bridge.config.intervals import InhibitRule, IntervalEntry, TimeInterval
from bridge.config.model import Config
from bridge.domain.duration import format_duration
from bridge.engine.generation import walk
from bridge.routing.route import Route

_WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_RULE_KEYS = (
    "source_matchers", "target_matchers", "source_match", "source_match_re", "target_match", "target_match_re", "equal",
)  # fmt: skip
_TIMING = ("group_wait", "group_interval", "repeat_interval")
_DUMPER: type[yaml.SafeDumper] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

_Node = dict[str, object]


def receivers_of(config: Config) -> tuple[str, ...]:
    """The names that routes may send to: the receivers in their order, then channels that a route names itself."""
    routed = (route.receiver for route in walk(config.route))
    return tuple(dict.fromkeys((*config.receivers, *routed)))


def alertmanager_yml(config: Config) -> str:
    """The text, which Alertmanager and amtool take."""
    document: _Node = {
        "global": {"resolve_timeout": format_duration(config.resolve_timeout)},
        "route": _route(config.route, None),
    }
    if config.inhibit_rules:
        document["inhibit_rules"] = [_rule(rule) for rule in config.inhibit_rules]
    document["receivers"] = [{"name": name} for name in receivers_of(config)]
    if config.time_intervals:
        document["time_intervals"] = [_interval(interval) for interval in config.time_intervals]
    return yaml.dump(document, Dumper=_DUMPER, sort_keys=False, allow_unicode=True, width=1_000_000)


def _route(route: Route, parent: Route | None) -> _Node:
    """What is inherited is not said again."""
    node: _Node = {"receiver": route.receiver}
    if parent is None or (route.group_by, route.group_by_all) != (parent.group_by, parent.group_by_all):
        node.update(_grouping(route))
    if route.matchers:
        node["matchers"] = [str(matcher) for matcher in route.matchers]
    if route.continues:
        node["continue"] = True
    for key in _TIMING:
        span = getattr(route, key)
        if span is not None and (parent is None or span != getattr(parent, key)):
            node[key] = format_duration(span)
    for key in ("mute_time_intervals", "active_time_intervals"):
        if names := getattr(route, key):
            node[key] = list(names)
    if route.routes:
        node["routes"] = [_route(child, route) for child in route.routes]
    return node


def _grouping(route: Route) -> _Node:
    if route.group_by_all:
        return {"group_by": ["..."]}
    return {} if route.group_by is None else {"group_by": list(route.group_by)}


def _rule(rule: InhibitRule) -> _Node:
    return {key: _plain(found) for key in _RULE_KEYS if (found := getattr(rule, key))}


def _interval(interval: TimeInterval) -> _Node:
    return {"name": interval.name, "time_intervals": [_entry(entry) for entry in interval.time_intervals]}


def _entry(entry: IntervalEntry) -> _Node:
    """A list that stands there empty means something else than one that does not, so it is kept."""
    given = entry.model_fields_set
    node: _Node = {}
    if "times" in given:
        node["times"] = [
            {"start_time": _clock(times.start_time), "end_time": _clock(times.end_time)} for times in entry.times
        ]
    if "weekdays" in given:
        node["weekdays"] = [_range(_WEEKDAYS[first], _WEEKDAYS[last]) for first, last in entry.weekdays]
    for key in ("days_of_month", "months", "years"):
        if key in given:
            node[key] = [_range(str(first), str(last)) for first, last in getattr(entry, key)]
    if entry.location not in {"", "UTC"}:
        node["location"] = entry.location
    return node


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def _range(first: str, last: str) -> str:
    return first if first == last else f"{first}:{last}"


def _plain(value: Mapping[str, str] | Sequence[str]) -> object:
    return dict(value) if isinstance(value, Mapping) else list(value)
