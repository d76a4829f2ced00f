"""The differences from Alertmanager that are meant, one history for each; docs/alertmanager-differences.md argues for them.

Each is short enough to be read. Two Alertmanagers would agree on all of them; the bridge must do what the model says instead.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from tests.compat.history import Alerts, Event, History, Posted, Silence
from tests.compat.model import ANNOUNCED_AGAIN, END_ONCE, END_TOLD, GRACE, GROUP_ANEW, UNSEEN_END
from tests.compat.random_histories import END
from tests.compat.setting import Matcher, Node, Rule, Setting

_FAR = 3600.0


class Directed(Struct, frozen=True):
    """`kind` is the difference that shows. `bounded`: a muted time begins while the history runs."""

    name: str
    kind: str
    route: Callable[[str], Node]
    events: tuple[Event, ...]
    rules: tuple[tuple[str, str], ...] = ()
    bounded: bool = False

    def setting(self, name: str) -> Setting:
        own = Matcher("history", "=", name)
        rules = tuple(
            Rule((own, Matcher("alertname", "=", source)), (own, Matcher("alertname", "=", target)), ())
            for source, target in self.rules
        )
        return Setting(name, self.route(name), {f"{name}-0": True}, rules)

    def history(self, name: str) -> History:
        return History(tuple(_owned(event, name) for event in self.events), END)


def _owned(event: Event, name: str) -> Event:
    """The event with the label `history` in it."""
    if isinstance(event, Alerts):
        alerts = (
            Posted((*one.labels, ("history", name)), one.annotations, one.starts, one.ends) for one in event.alerts
        )
        return Alerts(event.at, tuple(alerts))
    if isinstance(event, Silence):
        matchers = (Matcher("history", "=", name), *event.matchers)
        return Silence(event.at, event.key, matchers, event.starts, event.ends, event.edits)
    return event


def _route(wait: float = 0.5, interval: float = 2.0, mute: tuple[str, ...] = ()) -> Callable[[str], Node]:
    """One route for the history; everything of it is one group."""
    return lambda name: Node(
        f"{name}-0",
        (Matcher("history", "=", name),),
        group_by=("history",),
        wait=wait,
        interval=interval,
        repeat=_FAR,
        mute=mute,
    )


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
        (_fires(0.5, "A"), _silence(2.0, 20.0, "A"), _ends(4.0, "A")),
    ),
    Directed(
        "an end is told through an inhibition", END_TOLD, _route(),
        (_fires(0.5, "A"), _fires(2.0, "B"), _ends(4.0, "A")), rules=(("B", "A"),),
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
)  # fmt: skip
