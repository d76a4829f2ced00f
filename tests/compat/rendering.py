"""Settings as configuration files: alertmanager.yml, and the same as the bridge's main file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import yaml

from tests.compat.alerts import RESOLVE_TIMEOUT
from tests.compat.setting import INTERVALS, ROOT, Matcher, Node, Rule, Setting

Tree = dict[str, object]


def alertmanager_yml(settings: Iterable[Setting], sink: str, boundary: datetime) -> str:
    """`sink` is the address under which each receiver has its path."""
    settings = list(settings)
    receivers: list[Tree] = [{"name": ROOT.receiver}]
    for name, sends_ends in _receivers(settings).items():
        receivers.append({"name": name, "webhook_configs": [{"url": f"{sink}/{name}", "send_resolved": sends_ends}]})
    return _text(
        {
            "global": {"resolve_timeout": span(RESOLVE_TIMEOUT)},
            "route": _root(settings),
            "receivers": receivers,
            "inhibit_rules": _rules(settings),
            "time_intervals": _intervals(boundary),
        }
    )


def bridge_yml(settings: Iterable[Setting], sink: str, boundary: datetime) -> str:
    """Every receiver is one webhook channel. Half of the histories run without the `dedupe` hook: it judges webhooks only."""
    settings = list(settings)
    channels: Tree = {ROOT.receiver: {"type": "console"}}
    for name, sends_ends in _receivers(settings).items():
        channels[name] = {"type": "webhook", "url": f"{sink}/{name}", "send_resolved": sends_ends}
    root = _root(settings)
    for route in root["routes"][::2]:  # type: ignore[index]
        route["hooks"] = []
    return _text(
        {
            "server": {"listen": "127.0.0.1:PORT"},
            "storage": {"url": "sqlite:bridge.db"},
            "resolve_timeout": span(RESOLVE_TIMEOUT),
            "channels": channels,
            "inhibit_rules": _rules(settings),
            "time_intervals": _intervals(boundary),
            "route": root,
        }
    )


def span(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _receivers(settings: list[Setting]) -> dict[str, bool]:
    return {name: ends for setting in settings for name, ends in setting.receivers.items()}


def _root(settings: list[Setting]) -> Tree:
    return {
        "receiver": ROOT.receiver,
        "group_wait": span(ROOT.wait),
        "group_interval": span(ROOT.interval),
        "repeat_interval": span(ROOT.repeat),
        "routes": [_route(setting.route) for setting in settings],
    }


def _route(node: Node) -> Tree:
    route: Tree = {"receiver": node.receiver, "matchers": _matchers(node.matchers)}
    if node.continues:
        route["continue"] = True
    if node.group_by is not None:
        route["group_by"] = list(node.group_by)
    timing = {"group_wait": node.wait, "group_interval": node.interval, "repeat_interval": node.repeat}
    route |= {name: span(value) for name, value in timing.items() if value is not None}
    for key, kinds in (("mute_time_intervals", node.mute), ("active_time_intervals", node.active)):
        if kinds:
            route[key] = [INTERVALS[kind].name for kind in kinds]
    if node.routes:
        route["routes"] = [_route(child) for child in node.routes]
    return route


def _rules(settings: list[Setting]) -> list[Tree]:
    return [_rule(rule) for setting in settings for rule in setting.rules]


def _rule(rule: Rule) -> Tree:
    sides = {"source_matchers": _matchers(rule.source), "target_matchers": _matchers(rule.target)}
    return {**sides, **({"equal": list(rule.equal)} if rule.equal else {})}


def _matchers(matchers: tuple[Matcher, ...]) -> list[str]:
    return [str(matcher) for matcher in matchers]


def _intervals(boundary: datetime) -> list[Tree]:
    minute = f"{boundary:%H:%M}"
    entries: dict[str, Tree] = {
        "always": {"years": ["2000:2999"]},
        "never": {"years": ["1999"]},
        "until": {"times": [{"start_time": "00:00", "end_time": minute}]},
        "from": {"times": [{"start_time": minute, "end_time": "24:00"}]},
    }
    return [{"name": interval.name, "time_intervals": [entries[kind]]} for kind, interval in INTERVALS.items()]


def _text(content: Tree) -> str:
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
