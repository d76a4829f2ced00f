"""Bugs that are planted to see whether the comparison finds them: `python -m tests.compat.bugs NAME[,NAME] serve …`.

Each is a way of reading Alertmanager's documentation wrongly. The product has no switch for any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

BUGS: dict[str, Callable[[], None]] = {}
"""Name → what plants it."""


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def plant(names: str) -> None:
    """Plant each of these, separated by commas."""
    for name in names.split(","):
        BUGS[name]()


@bug
def group_wait_is_ignored() -> None:
    """The first notification of a group goes out at once."""
    from bridge.domain.ticks import Timing

    Timing.first = lambda _self, _starts_at, now: now  # type: ignore[method-assign]


@bug
def group_interval_is_ignored() -> None:
    """What is new in a group is told at once."""
    from bridge.domain.ticks import Timing

    Timing.next = lambda _self, _flushed_at, now: now  # type: ignore[method-assign]


@bug
def reminders_never_come() -> None:
    """`repeat_interval` is read and forgotten."""
    from bridge.domain.ticks import Timing

    Timing.reminder = lambda *_arguments: None  # type: ignore[method-assign]


@bug
def inhibition_wants_every_label() -> None:
    """A label in `equal` that an alert does not have is equal to nothing."""
    from bridge.routing.inhibition import Side, _Known

    side = _Known.side

    def instead(self: _Known, labels: Mapping[str, str], *, both: bool) -> Side:
        there = all(labels.get(name) for name in self.equal)
        found = side(self, labels, both=both)
        return found if there else Side(found.rule, f"{found.equals} {labels}", both)

    _Known.side = instead  # type: ignore[method-assign]


@bug
def both_sides_inhibit() -> None:
    """Alerts that match both sides of a rule inhibit each other."""
    from bridge.routing.inhibition import Side, _Known

    side = _Known.side

    def instead(self: _Known, labels: Mapping[str, str], *, both: bool) -> Side:
        return side(self, labels, both=False)

    _Known.side = instead  # type: ignore[method-assign]


@bug
def silences_hide_nothing() -> None:
    """Silences are kept, shown and not heeded."""
    from bridge.routing.silences import Silence, Silences

    def instead(_self: Silences, _labels: Mapping[str, str], _now: datetime) -> tuple[Silence, ...]:
        return ()

    Silences.matching = instead  # type: ignore[method-assign]


@bug
def mutes_mute_nothing() -> None:
    """Time intervals are not asked."""
    from bridge.engine import muting

    muting.muted_by = lambda *_arguments: ()


@bug
def an_end_waits_for_the_silence() -> None:
    """The end of a silenced alert is told to nobody while the silence lasts, as in Alertmanager."""
    from bridge.engine import groups

    look = groups.look

    async def instead(work: Any, incident: Any, *rest: Any) -> Any:
        members = await groups.incidents.members(work.tx, incident.id)
        if any(work.silences.matching(member.shown.labels, work.now) for member in members if not member.fires):
            return incident
        return await look(work, incident, *rest)

    groups.look = instead


@bug
def continue_is_not_obeyed() -> None:
    """The first child route that matches ends the search."""
    from bridge.routing import build

    whole = build.Route

    def instead(*arguments: Any, **values: Any) -> Any:
        return whole(*arguments, **{**values, "continues": False})

    build.Route = instead  # type: ignore[assignment,misc]


@bug
def group_by_all_is_group_by_none() -> None:
    """`group_by: ['...']` puts every alert of the route into one group."""
    from bridge.routing import build

    whole = build.Route

    def instead(*arguments: Any, **values: Any) -> Any:
        return whole(*arguments, **{**values, "group_by_all": False})

    build.Route = instead  # type: ignore[assignment,misc]


if __name__ == "__main__":
    from bridge.cli.main import main

    plant(sys.argv.pop(1))
    main()
