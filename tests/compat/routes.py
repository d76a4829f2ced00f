"""Random route trees and label sets through both programs: receivers in order, and the partition into groups.

The trees are those that `tests/e2e/test_routes_against_amtool.py` asks amtool about, each below a matcher of its own, so that
thousands of cases are one configuration. Nothing is sent: `group_wait` is an hour.
"""

from __future__ import annotations

import json
import random
import urllib.request
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import yaml
from msgspec import Struct, field

from tests.compat.alerts import canonical
from tests.compat.planted_bridge import compat_bridge
from tests.compat.setting import Labels
from tests.e2e.test_routes_against_amtool import RECEIVERS, Trees
from tests.running_alertmanager import alertmanager

_PER_TREE = 10
_PER_REQUEST = 64
_GROUPINGS = (["team"], ["..."], ["severity", "A1"], ["_x", "cluster", "missing"], None)
_WITHIN = 120.0

Groups = Counter[tuple[str, str, frozenset[str]]]
"""(receiver, group labels, alerts) → how many such groups."""


class Tree(Struct, frozen=True):
    """One random tree, and the label sets to ask it about."""

    number: int
    route: dict[str, object]
    labels: list[dict[str, str]]


class Routed(Struct):
    """How many cases there were, in how many groups; the problems by the number of their tree."""

    cases: int = 0
    groups: int = 0
    problems: dict[int, list[str]] = field(default_factory=dict)


class Answers(Struct, frozen=True):
    """What one program says of the alerts of all trees, by the tree's number."""

    receivers: dict[int, dict[str, list[str]]]
    groups: dict[int, Groups]


def tree(seed: int, number: int) -> Tree:
    rng = random.Random(f"routes-{seed}-{number}")
    maker = Trees(rng)
    route = {**maker.root(), "matchers": [f'tree="{number}"']}
    grouping = rng.choice(_GROUPINGS)
    del route["group_by"]
    if grouping is not None:
        route["group_by"] = list(grouping)
    sets: dict[str, dict[str, str]] = {}
    while len(sets) < _PER_TREE:
        labels = {**_present(maker.labels()), "tree": str(number)}
        sets[canonical(labels)] = labels
    return Tree(number, route, list(sets.values()))


def compare(folder: Path, trees: list[Tree], planted: str = "") -> Routed:
    """Post the label sets to a real Alertmanager and to the bridge; ask the command line, too."""
    root = {"receiver": "root", "group_wait": "1h", "group_interval": "1h", "routes": [tree.route for tree in trees]}
    theirs = {"route": root, "receivers": [{"name": name} for name in RECEIVERS]}
    ours = {
        "server": {"listen": "127.0.0.1:PORT"},
        "storage": {"url": "sqlite:bridge.db"},
        "channels": {name: {"type": "console"} for name in [*RECEIVERS[:3], "out"]},
        "receivers": {name: ["out"] for name in RECEIVERS[3:]},
        "route": root,
    }
    with ExitStack() as stack:
        real = stack.enter_context(alertmanager(folder / "left", _yaml(theirs)))
        bridge = stack.enter_context(compat_bridge(folder / "right", _yaml(ours), planted))
        for url in (real.url, bridge.url):
            _post(url, trees)
        left, right = _ask(real.url, trees), _ask(bridge.url, trees)
        lines = "".join(json.dumps({"labels": labels}) + "\n" for tree in trees for labels in tree.labels)
        said = bridge.command("routes", "test", "--jsonl", "--config", "routes", stdin=lines)
        assert said.returncode == 0, said.stderr
    told = iter([json.loads(line)["receivers"] for line in said.stdout.splitlines()])
    routed = Routed()
    for one in trees:
        routed.cases += len(one.labels)
        routed.groups += left.groups[one.number].total()
        if problems := list(_differing(one, left, right, {canonical(labels): next(told) for labels in one.labels})):
            routed.problems[one.number] = problems
    return routed


def _differing(one: Tree, left: Answers, right: Answers, told: dict[str, list[str]]) -> Iterator[str]:
    for key, receivers in left.receivers[one.number].items():
        for name, its in (("API", right.receivers[one.number].get(key)), ("command", told.get(key))):
            if its != receivers:
                yield f"{key}: Alertmanager tells {receivers}, the bridge's {name} {its}"
    if left.receivers[one.number].keys() != {canonical(labels) for labels in one.labels}:
        yield "Alertmanager does not list every alert"
    for group in (left.groups[one.number] - right.groups[one.number]).elements():
        yield f"a group of Alertmanager's alone: {group}"
    for group in (right.groups[one.number] - left.groups[one.number]).elements():
        yield f"a group of the bridge's alone: {group}"


def _present(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if value}


def _post(url: str, trees: Iterable[Tree]) -> None:
    alerts = [{"labels": labels} for tree in trees for labels in tree.labels]
    for start in range(0, len(alerts), _PER_REQUEST):
        body = json.dumps(alerts[start : start + _PER_REQUEST]).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{url}/api/v2/alerts", body, headers, method="POST")
        with urllib.request.urlopen(request, timeout=_WITHIN) as answer:
            assert answer.status == 200


def _ask(url: str, trees: Iterable[Tree]) -> Answers:
    answers = Answers({tree.number: {} for tree in trees}, {tree.number: Counter() for tree in trees})
    for alert in _get(f"{url}/api/v2/alerts"):
        names = [receiver["name"] for receiver in alert["receivers"]]
        answers.receivers[int(alert["labels"]["tree"])][canonical(alert["labels"])] = names
    for group in _get(f"{url}/api/v2/alerts/groups"):
        for number, keys in _by_tree(group["alerts"]).items():
            answers.groups[number][group["receiver"]["name"], canonical(group["labels"]), frozenset(keys)] += 1
    return answers


def _by_tree(alerts: Iterable[dict]) -> dict[int, set[str]]:  # type: ignore[type-arg]
    found: dict[int, set[str]] = {}
    for alert in alerts:
        found.setdefault(int(alert["labels"]["tree"]), set()).add(canonical(alert["labels"]))
    return found


def _get(url: str) -> list[dict]:  # type: ignore[type-arg]
    with urllib.request.urlopen(url, timeout=_WITHIN) as answer:
        found: list[dict] = json.load(answer)  # type: ignore[type-arg]
        return found


def _yaml(content: object) -> str:
    return str(yaml.safe_dump(content, allow_unicode=True, sort_keys=False))
