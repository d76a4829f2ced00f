"""What keeps an alert from people at this moment: inhibition, the route's time intervals, silences; in this order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from bridge.domain.alert import Alert, Status
from bridge.engine.work import Work
from bridge.routing.inhibition import Side
from bridge.routing.intervals import muted_by, unmuted_at
from bridge.routing.route import Route
from bridge.storage import muting
from bridge.storage.incidents import Member

INHIBITED, MUTED, SILENCED = "inhibited", "muted", "silenced"
WAITS = "waits"
"""It joined its group since the last tick."""


class Veil(Struct, frozen=True):
    """Why an alert is not shown, and by what: the number of the alert that inhibits it, an interval's name, a silence's id."""

    why: str
    by: str


class _Unmuted(Struct, frozen=True):
    """The route is kept, so that its id cannot pass to another meanwhile."""

    route: Route
    asked_at: datetime
    over: datetime | None


_unmuted: dict[int, _Unmuted] = {}
_MOST_REMEMBERED = 1024
_YEARS = datetime.max.replace(tzinfo=UTC)


def concerns(work: Work, route: str, alerts: Collection[Alert]) -> bool:
    """Whether anything may keep one of these alerts from people, or the whole route; asks no database."""
    if mutes_of(work, route):
        return True
    return any(
        work.generation.inhibition.targets(alert.labels) or work.silences.matching(alert.labels, work.now)
        for alert in alerts
    )


def mutes_of(work: Work, route: str) -> tuple[str, ...]:
    """The time intervals that mute a route now; none for a route that is gone."""
    found = work.generation.routes.get(route)
    return muted_by(found, work.generation.intervals, work.now) if found is not None else ()


async def hidden_now(work: Work, members: Sequence[Member]) -> dict[int, Veil]:
    """Those of these firing alerts that another inhibits or that are silenced."""
    found = await inhibited(work, members)
    for member in members:
        if member.alert_id not in found and (silence := work.silences.matching(member.shown.labels, work.now)):
            found[member.alert_id] = Veil(SILENCED, silence[0].id)
    return found


def unmuted(work: Work, route: str) -> datetime | None:
    """When the route is next not muted, None if that is years away; now for a route that is gone.

    Remembered until then: an interval that never holds again takes long to see through.
    """
    found = work.generation.routes.get(route)
    if found is None:
        return work.now
    known = _unmuted.get(id(found))
    if known is None or known.route is not found or not known.asked_at <= work.now < (known.over or _YEARS):
        while len(_unmuted) >= _MOST_REMEMBERED:
            _unmuted.pop(next(iter(_unmuted)))
        over = unmuted_at(found, work.generation.intervals, work.now)
        known = _unmuted[id(found)] = _Unmuted(found, work.now, over)
    return known.over


async def veils(work: Work, route: str, members: Sequence[Member]) -> dict[int, Veil]:
    """What hides each of the firing alerts of an incident that are hidden, by the alert's number."""
    firing = [member for member in members if member.fires]
    found = await inhibited(work, firing)
    muted = mutes_of(work, route)
    for member in firing:
        if member.alert_id not in found:
            if muted:
                found[member.alert_id] = Veil(MUTED, muted[0])
            elif silence := work.silences.matching(member.shown.labels, work.now):
                found[member.alert_id] = Veil(SILENCED, silence[0].id)
    return found


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
    if alert.status is Status.FIRING and work.generation.inhibition:
        await put_sides(work, number, alert.fingerprint, work.generation.inhibition.sources(alert.labels))


async def put_sides(work: Work, number: int, fingerprint: str, sides: Sequence[Side]) -> None:
    for side in sides:
        await muting.add_inhibitor(work.tx, (side.rule, side.equals), number, fingerprint, both=side.both)
