"""What keeps an alert from people at this moment: inhibition, the route's time intervals, silences; in this order.

Nothing keeps a page by hand from them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from bridge.domain.alert import MANUAL, Alert, Status
from bridge.engine.work import Work
from bridge.routing.inhibition import Side
from bridge.routing.intervals import muted_by, next_change, unmuted_at
from bridge.routing.route import Route
from bridge.storage import alert_views, muting
from bridge.storage.incidents import Incident, Member

INHIBITED, MUTED, SILENCED = "inhibited", "muted", "silenced"
WAITS = "waits"
"""It joined its group since the last tick."""
ENDED = "ended"
"""It ended, and nobody was or will be told that it fired."""


class Veil(Struct, frozen=True):
    """Why an alert is not shown, and by what: the number of the alert that inhibits it, an interval's name, a silence's id."""

    why: str
    by: str


class _Turning(Struct, frozen=True):
    """When a route is next muted or not, other than when that was asked. The route is kept, so that its id stays its own."""

    route: Route
    asked_at: datetime
    over: datetime | None


_turnings: dict[int, _Turning] = {}
_MOST_REMEMBERED = 1024
_YEARS = datetime.max.replace(tzinfo=UTC)


def concerns(work: Work, route: str, alerts: Collection[Alert]) -> bool:
    """Whether anything may keep one of these alerts from people, or sometimes the whole route; asks no database."""
    found = work.generation.routes.get(route)
    if found is not None and (found.mute_time_intervals or found.active_time_intervals):
        return True
    inhibition, silences = work.generation.inhibition, work.silences
    if not inhibition and not silences:
        return False
    return any(inhibition.targets(alert.labels) or silences.matching(alert.labels, work.now) for alert in alerts)


def mutes_of(work: Work, route: str) -> tuple[str, ...]:
    """The time intervals that mute a route now; none for a route that is gone."""
    found = work.generation.routes.get(route)
    return muted_by(found, work.generation.intervals, work.now) if found is not None else ()


async def hidden_now(work: Work, members: Sequence[Member]) -> dict[int, Veil]:
    """Those of these firing alerts that another inhibits or that are silenced."""
    members = [member for member in members if member.alert.source != MANUAL]
    found = await inhibited(work, members)
    for member in members:
        if member.alert_id not in found and (silence := work.silences.matching(member.shown.labels, work.now)):
            found[member.alert_id] = Veil(SILENCED, silence[0].id)
    return found


def waiting(work: Work, incident: Incident, alert: Alert, *, again: bool) -> Veil | None:
    """What hides an alert that joins an incident until its group's next tick, None where there are no ticks.

    Of one that was in it before (`again`) a silence is remembered that ends before the tick: its end is to be announced.
    """
    if not work.generation.timing(incident.route, incident.source).ticks:
        return None
    silences = work.silences.matching(alert.labels, work.now) if again else ()
    return Veil(SILENCED, silences[0].id) if silences else Veil(WAITS, "")


def unmuted(work: Work, route: str) -> datetime | None:
    """When a muted route is next not muted, None if that is years away; now for a route that is gone."""
    found = work.generation.routes.get(route)
    return work.now if found is None else _turning(work, found).over


def muted_next(work: Work, route: str) -> datetime | None:
    """When a route that is not muted may next be; None if it has no intervals, or that is years away."""
    found = work.generation.routes.get(route)
    if found is None or not (found.mute_time_intervals or found.active_time_intervals):
        return None
    return _turning(work, found).over


def _turning(work: Work, route: Route) -> _Turning:
    """Remembered until then: that an interval never holds again takes long to see."""
    known = _turnings.get(id(route))
    if known is None or known.route is not route or not known.asked_at <= work.now < (known.over or _YEARS):
        while len(_turnings) >= _MOST_REMEMBERED:
            _turnings.pop(next(iter(_turnings)))
        intervals = work.generation.intervals
        if muted_by(route, intervals, work.now):
            over = unmuted_at(route, intervals, work.now)
        else:
            sides = (route.mute_time_intervals, route.active_time_intervals)
            changes = [next_change([intervals[name] for name in names], work.now) for names in sides if names]
            over = min((change for change in changes if change is not None), default=None)
        known = _turnings[id(route)] = _Turning(route, work.now, over)
    return known


async def veils(work: Work, route: str, members: Sequence[Member]) -> dict[int, Veil]:
    """What hides each of the firing alerts of an incident that are hidden, by the alert's number."""
    firing = [member for member in members if member.fires and member.alert.source != MANUAL]
    found = await inhibited(work, firing)
    muted = mutes_of(work, route)
    for member in firing:
        if member.alert_id not in found:
            if muted:
                found[member.alert_id] = Veil(MUTED, muted[0])
            elif silence := work.silences.matching(member.shown.labels, work.now):
                found[member.alert_id] = Veil(SILENCED, silence[0].id)
    return found


async def named(work: Work, veil: Veil) -> str:
    """By what it is hidden, as people know it: an alert by its fingerprint."""
    if veil.why != INHIBITED:
        return veil.by
    found = await alert_views.fingerprints(work.tx, (int(veil.by),))
    return next(iter(found.values()), veil.by)


async def inhibited(work: Work, members: Sequence[Member]) -> dict[int, Veil]:
    """Those of the alerts that another one inhibits."""
    inhibition = work.generation.inhibition
    if not inhibition:
        return {}
    sides = {member.alert_id: inhibition.targets(member.shown.labels) for member in members}
    pairs = {(side.rule, side.equals) for of_member in sides.values() for side in of_member}
    sources = await muting.inhibitors(work.tx, pairs)
    found = {}
    for alert, of_member in sides.items():
        for side in of_member:
            there = sources.get((side.rule, side.equals))
            source = there.other_than(alert, plain=side.both) if there else None
            if source is not None:
                found[alert] = Veil(INHIBITED, str(source))
                break
    return found


async def begins_to_fire(work: Work, number: int, alert: Alert) -> None:
    """Keep on which rules' source side a firing alert stands."""
    if alert.status is Status.FIRING and alert.source != MANUAL and work.generation.inhibition:
        await put_sides(work, number, alert.fingerprint, work.generation.inhibition.sources(alert.labels))


async def put_sides(work: Work, number: int, fingerprint: str, sides: Sequence[Side]) -> None:
    for side in sides:
        await muting.add_inhibitor(work.tx, (side.rule, side.equals), number, fingerprint, both=side.both)
