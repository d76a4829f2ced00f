"""What a look at a group finds: who is to be told, of which alerts. Decides alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from bridge.hooks.api import Transition

ANNOUNCED_AT_THE_END = frozenset({"silenced", "muted"})
"""What people asked for: when it is over they hear what still fires, also of what they were told before."""


class Standing(Struct, frozen=True):
    """One alert of the group. `planned` as in `Member`; `was` and `now` are what hid it at the last look and hides it at this.

    `news` says that what brought the look about is this alert: it opened, or ended.
    """

    alert: int
    fires: bool
    planned: str = ""
    was: str = ""
    now: str = ""
    news: bool = False

    @property
    def shown(self) -> bool:
        return self.fires and not self.now


class Occasion(Struct, frozen=True):
    """Why the group is looked at. `opens`: nobody was told of it yet, or it was reopened. `ticks`: its route has a rhythm,
    so that every difference from the last notification is news. `remind`: `repeat_interval` is over. `repeated`: its sender
    said again what it said before. `ends`: somebody who is told of the group wants to hear of ends while others fire.
    """

    opens: bool
    ticks: bool = True
    remind: bool = False
    repeated: bool = False
    ends: bool = True


class Found(Struct, frozen=True):
    """`transition` None: nobody is told. `due`: it is a reminder that no hook takes for a duplicate. `about` are the alerts
    the notification is about, `again` those that are told anew though their channels knew them.
    `planned` is what is now planned to be said, where that is not what it was.
    """

    transition: Transition | None = None
    due: bool = False
    about: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
    planned: Mapping[int, str] = {}


def decide(alerts: Sequence[Standing], occasion: Occasion) -> Found:
    """What the group's people are to be told now."""
    shown = [one for one in alerts if one.shown]
    if not any(one.fires for one in alerts):
        ended = [one for one in alerts if one.planned not in {"resolved", "past"}]
        return Found() if occasion.opens else _found(Transition.RESOLVED, alerts, occasion, ended, [])
    if occasion.opens:
        return _found(Transition.OPENED, alerts, occasion, shown, _again(shown)) if shown else Found()
    news = [one for one in shown if one.planned != "firing" and (occasion.ticks or one.was or one.news)]
    ended = [one for one in alerts if occasion.ends and _ended(one, occasion)]
    if news or ended:
        listed = [one for one in alerts if occasion.ends and one.planned == "again" and not one.fires and not one.was]
        return _found(Transition.CHANGED, alerts, occasion, [*news, *ended, *listed], _again(news))
    return _reminder(alerts, shown, occasion)


def _reminder(alerts: Sequence[Standing], shown: Sequence[Standing], occasion: Occasion) -> Found:
    announced = [one for one in shown if one.was in ANNOUNCED_AT_THE_END]
    if announced or (occasion.remind and shown):
        return _found(Transition.REPEAT, alerts, occasion, announced or shown, [], due=True)
    if occasion.repeated and shown:
        return Found(Transition.REPEAT, about=tuple(one.alert for one in shown))
    return Found()


def _ended(one: Standing, occasion: Occasion) -> bool:
    if one.fires:
        return False
    if one.planned in {"firing", "withdrawn"} and occasion.ticks:
        return True
    # What fired and ended between two ticks is told, unless it was hidden all the while, or the last word is its end already.
    return not one.was and (not one.planned if occasion.ticks else one.news)


def _again(shown: Sequence[Standing]) -> list[Standing]:
    """What was left out since it was told."""
    return [one for one in shown if one.planned == "withdrawn" or (one.was not in {"", "waits"} and not one.planned)]


def _found(
    transition: Transition,
    alerts: Sequence[Standing],
    occasion: Occasion,
    about: Sequence[Standing],
    again: Sequence[Standing],
    *,
    due: bool = False,
) -> Found:
    plans = {one.alert: plan for one in alerts if (plan := _plan(one, occasion)) != one.planned}
    return Found(transition, due, tuple(one.alert for one in about), tuple(one.alert for one in again), plans)


def _plan(one: Standing, occasion: Occasion) -> str:
    """What the last notification says of an alert, once this one is told."""
    if not one.fires:
        return "past" if occasion.ticks and (one.was or one.planned in {"resolved", "past"}) else "resolved"
    if one.now:
        return {"firing": "withdrawn", "again": ""}.get(one.planned, one.planned)
    return "firing"
