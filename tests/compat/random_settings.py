"""Random settings: small label spaces, so that routes, rules and groups meet often."""

from __future__ import annotations

import random

from tests.compat.setting import ALL, Matcher, Node, Rule, Setting

VALUES = {
    "alertname": ("Down", "Slow", "Full"),
    "severity": ("critical", "warning", "info"),
    "cluster": ("a", "b"),
    "instance": ("1", "2", "3"),
}
OFTEN = {"alertname": 1.0, "severity": 0.9, "cluster": 0.7, "instance": 0.6}
"""How often an alert has the label."""
PATTERNS = {"alertname": "Down|Slow", "severity": "critical|warning", "cluster": "a|", "instance": "[12]"}
WAITS = (0.0, 0.5, 1.0, 1.5, 2.0)
INTERVALS = (1.0, 1.5, 2.0, 3.0, 4.0)
GROUPINGS = (("alertname",), ("cluster",), ("severity", "cluster"), ("instance",), ("zone", "alertname"), ALL)


class Settings:
    """Makes settings; `boundary` says whether muted times may begin or end while the history runs."""

    def __init__(self, rng: random.Random, *, boundary: bool) -> None:
        self._rng = rng
        self._muted = ("always", "never", "until", "from") if boundary else ("always", "never")
        self._receivers: dict[str, bool] = {}

    def make(self, name: str) -> Setting:
        self._receivers = {}
        top = self._node(name, 0, (Matcher("history", "=", name),))
        rules = tuple(self._rule(name) for _ in range(self._rng.choice((0, 1, 1, 2))))
        return Setting(name, top, self._receivers, rules)

    def labels(self, name: str) -> dict[str, str]:
        chosen = {
            label: self._rng.choice(values) for label, values in VALUES.items() if self._rng.random() < OFTEN[label]
        }
        return {"history": name, **chosen}

    def matcher(self) -> Matcher:
        name = self._rng.choice(list(VALUES))
        operator = self._rng.choice(("=", "=", "=~", "!=", "!~"))
        value = (
            PATTERNS[name]
            if "~" in operator
            else self._rng.choice((*VALUES[name], "") if operator == "=" else VALUES[name])
        )
        return Matcher(name, operator, value)

    def _node(self, name: str, depth: int, matchers: tuple[Matcher, ...]) -> Node:
        receiver = f"{name}-{len(self._receivers)}"
        self._receivers[receiver] = self._rng.random() < 0.8
        interval = self._maybe(0.8 if depth == 0 else 0.5, INTERVALS)
        repeat = None
        if interval is not None:
            repeat = self._rng.choice((1.5, 2.5, 500.5)) * interval
        return Node(
            receiver,
            matchers,
            continues=depth > 0 and self._rng.random() < 0.5,
            group_by=self._maybe(0.7 if depth == 0 else 0.5, GROUPINGS),
            wait=self._maybe(0.8 if depth == 0 else 0.5, WAITS),
            interval=interval,
            repeat=repeat,
            mute=self._times(0.2),
            active=self._times(0.1),
            routes=tuple(self._child(name, depth + 1) for _ in range(self._rng.randint(0, (3, 2, 0)[depth]))),
        )

    def _child(self, name: str, depth: int) -> Node:
        return self._node(name, depth, tuple(self.matcher() for _ in range(self._rng.choice((1, 1, 2)))))

    def _maybe(self, likely: float, choices: tuple) -> object:  # type: ignore[type-arg]
        return self._rng.choice(choices) if self._rng.random() < likely else None

    def _times(self, likely: float) -> tuple[str, ...]:
        return (self._rng.choice(self._muted),) if self._rng.random() < likely else ()

    def _rule(self, name: str) -> Rule:
        own = Matcher("history", "=", name)
        source, target = self._rng.choice(
            (
                (Matcher("severity", "=", "critical"), Matcher("severity", "=~", "warning|info")),
                (Matcher("severity", "=", "critical"), Matcher("severity", "!=", "critical")),
                (Matcher("alertname", "=", "Down"), Matcher("alertname", "=~", "Down|Slow")),
                (Matcher("alertname", "=~", "Down|Slow"), Matcher("alertname", "=~", "Slow|Full")),
            )
        )
        equal = tuple(self._rng.sample(("cluster", "instance", "alertname", "zone"), self._rng.choice((0, 1, 1, 2))))
        return Rule((own, source), (own, target), equal)
