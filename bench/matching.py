"""What it costs to match an alert with 5,000 routes and 1,000 silences: through the index, beside one after the other.

Both in one process, in turns, in CPU time. With the memory off every alert's labels are new; with it on they come again.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.lines import Line, line
from bridge.routing import tree
from bridge.routing.build import RouteSpec, build
from bridge.routing.matchers import Matcher
from bridge.routing.route import Route
from bridge.routing.silences import Silence, Silences
from tests import linear_walk

_NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
_ROUNDS = 5
_ALERTS = 200
_TEAMS = 100
_MOST = 0.1
_SEVERITIES = ("critical", "error", "warning", "info")

Labels = Mapping[str, str]


def matching(_folder: Path, _count: int) -> list[Line]:
    """Lines with the cost of the index, that of the walk beside it, and the share."""
    some = random.Random(1)
    alerts = [_alert(some) for _ in range(_ALERTS)]
    silences = Silences(_silences(some))
    found: list[Line] = []
    found += _routes("5,000 routes side by side", _flat(), alerts, most=_MOST)
    # What a walk leaves out below a team that refuses, an index cannot spare once more: new labels have no aim here.
    found += _routes("5,000 routes of 100 teams", _deep(), alerts, most=None)
    found += _quiet(silences, alerts)
    return found


def _alert(some: random.Random) -> dict[str, str]:
    """One in ten is nobody's."""
    team = some.randrange(_TEAMS * 11 // 10)
    return {
        "alertname": f"Alert{some.randrange(200)}", "cluster": f"c{some.randrange(8)}", "env": "prod",
        "instance": f"10.0.{some.randrange(256)}.{some.randrange(256)}:9100", "job": "node", "namespace": f"n{team % 40}",
        "service": f"s{team}-{some.randrange(50)}", "severity": some.choice(_SEVERITIES), "team": f"t{team}",
    }  # fmt: skip


def _flat() -> Route:
    """Each with one service of one team; a tenth asks by a regular expression with words, a hundredth by one without."""
    specs = []
    for number in range(5000):
        service = f"s{number % _TEAMS}-{number // _TEAMS}"
        form = f'service=~"{service}.*"' if number % 100 == 0 else f'service=~"{service}|old-{service}"'
        form = form if number % 10 == 0 else f'service="{service}"'
        specs.append(RouteSpec(receiver=f"r{number}", matchers=(form, 'env=~"prod|stage"'), continues=number % 20 == 0))
    return build(RouteSpec(receiver="root", routes=tuple(specs)))


def _deep() -> Route:
    """Fifty below each team."""
    teams = [
        RouteSpec(
            receiver=f"t{team}",
            matchers=(f'team="t{team}"',),
            routes=tuple(
                RouteSpec(receiver=f"t{team}-{n}", matchers=(f'service="s{team}-{n}"', 'severity!="info"'))
                for n in range(49)
            ),
        )
        for team in range(_TEAMS)
    ]
    return build(RouteSpec(receiver="root", routes=tuple(teams)))


def _silences(some: random.Random) -> list[Silence]:
    """Of an instance, a service or an alert in a cluster; a tenth is over or to come, a hundredth has no equality."""
    found = []
    for number in range(1000):
        labels = _alert(some)
        names = (("instance",), ("service", "severity"), ("alertname", "cluster"))[number % 3]
        matchers = tuple(Matcher(name, "=", labels[name]) for name in names)
        if number % 100 == 0:
            matchers = (Matcher("instance", "=~", f"10\\.0\\.{number % 256}\\..*"),)
        start = _NOW + timedelta(hours=(-9, 1)[number % 20 // 10] if number % 10 == 0 else -1)
        found.append(Silence(f"{number:04}", matchers, start, start + timedelta(hours=2), start))
    return found


def _routes(shape: str, route: Route, alerts: Sequence[Labels], *, most: float | None) -> list[Line]:
    def walked() -> None:
        for labels in alerts:
            linear_walk.walk(route, labels)

    def indexed() -> None:
        tree.forget(route)
        for labels in alerts:
            tree.find(route, labels)

    def remembered() -> None:
        for labels in alerts:
            tree.find(route, labels)

    for labels in alerts:
        if list(tree.find(route, labels)) != linear_walk.walk(route, labels):
            raise RuntimeError(f"the index and the walk do not agree on {labels}")
    return _lines(shape, (walked, indexed, remembered), most)


def _quiet(silences: Silences, alerts: Sequence[Labels]) -> list[Line]:
    def walked() -> None:
        for labels in alerts:
            linear_walk.silences(silences, labels, _NOW)

    def indexed() -> None:
        silences.forget()
        for labels in alerts:
            silences.matching(labels, _NOW)

    def remembered() -> None:
        for labels in alerts:
            silences.matching(labels, _NOW)

    for labels in alerts:
        if list(silences.matching(labels, _NOW)) != linear_walk.silences(silences, labels, _NOW):
            raise RuntimeError(f"the index and the walk do not agree on {labels}")
    return _lines("1,000 silences", (walked, indexed, remembered), _MOST)


def _lines(shape: str, works: Sequence[Callable[[], None]], most: float | None) -> list[Line]:
    """Of the walk, the index with the memory off, and with it on; `most` is the aim with the memory off."""
    rounds = [tuple(map(_cost, works)) for _ in range(_ROUNDS)]
    walk, index, memory = (statistics.median(one[place] for one in rounds) for place in range(3))
    index_share = statistics.median(one[1] / one[0] for one in rounds)
    memory_share = statistics.median(one[2] / one[0] for one in rounds)
    return [
        line("matching", f"{shape}: index, memory off, beside a walk", index, "µs", beside=walk, ratio=index_share, most=most),
        line("matching", f"{shape}: index, memory on, beside a walk", memory, "µs", beside=walk, ratio=memory_share, most=_MOST),
    ]  # fmt: skip


def _cost(work: Callable[[], None]) -> float:
    """Microseconds of CPU for one alert."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / _ALERTS * 1e6
