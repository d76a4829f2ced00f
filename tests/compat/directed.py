"""Histories short enough to be read: one for each difference from Alertmanager that is meant, one for each bug that must be found.

docs/alertmanager-differences.md argues for the differences: there the bridge must do what the model says, and Alertmanager not.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from tests.compat.history import Alerts, Event, History, Posted, Silence
from tests.compat.model import ANNOUNCED_AGAIN, END_ONCE, END_TOLD, GRACE, GROUP_ANEW, UNSEEN_END, UNSHOWN_END
from tests.compat.setting import ALL, Matcher, Node, Rule, Setting

END = 14.0
_FAR = 3600.0


class Directed(Struct, frozen=True):
    """`kind` is the difference that shows, empty if both programs do the same. `finds` is the bug (tests/compat/bugs.py) that
    it finds. `rules` are (source, target, equal) by patterns of alert names. `bounded`: a muted time begins meanwhile.
    """

    name: str
    kind: str
    route: Callable[[str], Node]
    events: tuple[Event, ...]
    rules: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    bounded: bool = False
    finds: str = ""

    def setting(self, name: str) -> Setting:
        own = Matcher("history", "=", name)
        rules = tuple(
            Rule((own, Matcher("alertname", "=~", source)), (own, Matcher("alertname", "=~", target)), equal)
            for source, target, equal in self.rules
        )
        route = self.route(name)
        return Setting(name, route, {node.receiver: True for node in (route, *route.routes)}, rules)

    def history(self, name: str, later: float) -> History:
        """`later` by so many seconds, so that not all of them begin at once."""
        return History(tuple(_owned(event, name, 0.0 if self.bounded else later) for event in self.events), END)


def _owned(event: Event, name: str, later: float) -> Event:
    """The event with the label `history` in it."""
    if isinstance(event, Alerts):
        alerts = (
            Posted(
                (*one.labels, ("history", name)), (), one.starts and one.starts + later, one.ends and one.ends + later
            )
            for one in event.alerts
        )
        return Alerts(event.at + later, tuple(alerts))
    if isinstance(event, Silence):
        matchers = (Matcher("history", "=", name), *event.matchers)
        return Silence(event.at + later, event.key, matchers, event.starts, event.ends + later)
    return event


def _route(
    wait: float = 0.5, interval: float = 2.0, repeat: float = _FAR, mute: tuple[str, ...] = ()
) -> Callable[[str], Node]:
    """One route for the history; everything of it is one group."""
    return lambda name: Node(
        f"{name}-0", (Matcher("history", "=", name),),
        group_by=("history",), wait=wait, interval=interval, repeat=repeat, mute=mute,
    )  # fmt: skip


def _twice(name: str) -> Node:
    """Two routes below the first take the same alerts; the second makes a group of each."""
    first = Node(f"{name}-1", (Matcher("alertname", "!=", ""),), continues=True)
    second = Node(f"{name}-2", (Matcher("alertname", "!=", ""),), group_by=ALL)
    return replace(_route()(name), routes=(first, second))


def _fires(at: float, *names: str, ends: float = _FAR) -> Alerts:
    return Alerts(at, tuple(Posted((("alertname", name),), (), at, ends) for name in names))


def _ends(at: float, name: str) -> Alerts:
    return Alerts(at, (Posted((("alertname", name),), (), None, at),))


def _silence(at: float, until: float, name: str) -> Silence:
    return Silence(at, f"of-{name}", (Matcher("alertname", "=", name),), None, until)


DIRECTED = (
    Directed(
        "what still fires at the end of a silence is announced again", ANNOUNCED_AGAIN, _route(),
        (_fires(0.5, "A"), _silence(2.0, 8.0, "A")),
    ),
    Directed(
        "an end is told through a silence", END_TOLD, _route(),
        (_fires(0.5, "A"), _silence(2.0, 20.0, "A"), _ends(4.0, "A")), finds="an-end-waits-for-the-silence",
    ),
    Directed(
        "an end is told through an inhibition", END_TOLD, _route(),
        (_fires(0.5, "A"), _fires(2.0, "B"), _ends(4.0, "A")), rules=(("B", "A", ()),),
    ),
    Directed(
        "an end is told while its route is muted", END_TOLD, _route(interval=1.0, mute=("from",)),
        (_fires(0.7, "A"), _ends(9.5, "A")), bounded=True,
    ),
    Directed(
        "an end that its sender did not confirm is believed a grace later", GRACE, _route(), (_fires(0.5, "A", ends=3.5),),
    ),
    Directed(
        "the end of an alert that was never seen firing is told to nobody", UNSEEN_END, _route(),
        (_fires(0.5, "A"), _ends(4.0, "B")),
    ),
    Directed(
        "a group whose alerts have all ended begins anew", GROUP_ANEW, _route(interval=4.0),
        (_fires(0.5, "A"), _ends(3.0, "A"), _fires(6.0, "A")),
    ),
    Directed(
        "an end is told once however often it is sent", END_ONCE, _route(),
        (_fires(0.5, "A", "B"), _ends(4.0, "B"), _fires(6.0, "C"), _ends(8.0, "B")),
    ),
    Directed(
        "what was hidden while it fired is not listed at its end", UNSHOWN_END, _route(),
        (_fires(0.5, "C"), _fires(1.5, "B"), _fires(2.0, "A"), _ends(4.0, "B"), _ends(4.2, "A")), rules=(("B", "A", ()),),
    ),
    Directed(
        "a group is told of after group_wait", "", _route(wait=2.0), (_fires(0.5, "A"), _fires(1.4, "B")),
        finds="group-wait-is-ignored",
    ),
    Directed(
        "what comes later is told after group_interval", "", _route(interval=4.0), (_fires(0.5, "A"), _fires(2.0, "B")),
        finds="group-interval-is-ignored",
    ),
    Directed(
        "a silence that is over inside group_wait does not shorten it", "", _route(wait=4.0),
        (_fires(0.5, "A"), _silence(1.0, 2.0, "A")),
    ),
    Directed(
        "an alert that turns out to be older than group_wait is told at once", "", _route(wait=4.0),
        (_fires(0.5, "A"), Alerts(1.5, (Posted((("alertname", "A"),), (), -60.0, _FAR),))),
    ),
    Directed(
        "a flap after a told end is no news by itself", "", _route(),
        (_fires(0.5, "A", "B"), _ends(1.8, "B"), _fires(5.4, "B"), _ends(6.2, "B")),
    ),
    Directed(
        "a flap after a told end is listed where there is other news", "", _route(),
        (_fires(0.5, "A", "B"), _ends(1.8, "B"), _fires(5.4, "B"), _ends(6.2, "B"), _fires(6.4, "C")),
    ),
    Directed(
        "a flap after a told end is news once others were told of since", "", _route(),
        (_fires(0.5, "A", "B"), _ends(1.8, "B"), _fires(3.6, "C"), _fires(5.6, "B"), _ends(6.3, "B")),
    ),
    Directed(
        "who was told is reminded", "", _route(repeat=3.0), (_fires(0.5, "A"),), finds="reminders-never-come",
    ),
    Directed(
        "a label that both lack is equal", "", _route(), (_fires(0.5, "B"), _fires(2.0, "A")),
        rules=(("B", "A", ("zone",)),), finds="inhibition-wants-every-label",
    ),
    Directed(
        "what matches both sides inhibits nothing of its kind", "", _route(), (_fires(0.5, "A"), _fires(2.0, "B")),
        rules=(("A|B", "A|B", ()),), finds="both-sides-inhibit",
    ),
    Directed(
        "what is silenced is not told", "", _route(), (_silence(0.5, 20.0, "A"), _fires(2.0, "A"), _fires(4.0, "B")),
        finds="silences-hide-nothing",
    ),
    Directed(
        "a muted route tells nothing", "", _route(mute=("always",)), (_fires(0.5, "A"),), finds="mutes-mute-nothing",
    ),
    Directed(
        "a route that continues is not the last", "", _twice, (_fires(0.5, "A"),), finds="continue-is-not-obeyed",
    ),
    Directed(
        "all labels make a group of each alert", "", _twice, (_fires(0.5, "A"), _fires(2.0, "B")),
        finds="group-by-all-is-group-by-none",
    ),
)  # fmt: skip
