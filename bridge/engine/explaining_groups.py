"""One group of alerts that are only supposed: when it would be looked at, what stops it, who would read what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Status, Webhook
from bridge.domain.duration import format_duration
from bridge.domain.message import AlertView
from bridge.domain.ticks import Timing
from bridge.engine.attempt import alert_view, group_key_of
from bridge.engine.explaining_hiding import Hiding
from bridge.engine.explaining_hooks import Watched, watch
from bridge.engine.explaining_messages import Teller
from bridge.engine.explaining_state import Joined
from bridge.engine.explaining_views import ExplainedGroup, GroupAlert, Obstacle, Timeline, Told
from bridge.engine.generation import Generation
from bridge.engine.render import IncidentView
from bridge.engine.telling import REASONS
from bridge.hooks.api import Drop, Hold, Notification, Transition
from bridge.routing.route import Route

SUPPOSED = "supposed"
"""What stands for the id of an incident that there is not."""


class Party(Struct, frozen=True):
    """Alerts that one route takes together, with the open incident that they would join."""

    route: Route
    source: str
    group_labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    joined: Joined | None


class _News(Struct, frozen=True):
    """What the alerts are to their group. `still` fire in it already, and are not among those supposed."""

    transition: Transition
    opened: tuple[Alert, ...]
    ended: tuple[Alert, ...]
    repeated: tuple[Alert, ...]
    still: tuple[Alert, ...]


class Stop(Struct, frozen=True):
    """Why nobody is told at the first look, and the earliest moment at which somebody may be."""

    why: str = ""
    by: str = ""
    until: datetime | None = None


async def explain_group(hiding: Hiding, request: Webhook, party: Party, now: datetime, how: How) -> ExplainedGroup:
    """What would become of the group."""
    generation = hiding.generation
    route, incident = party.route, party.joined.incident if party.joined else None
    timing = generation.timing(route.id, party.source)
    news = _news(party)
    looked_at = _looked_at(party, news, timing, now)
    hides = news.transition is not Transition.RESOLVED
    obstacles = {
        alert.key: hiding.obstacles(alert, route, looked_at) if hides and alert.status is Status.FIRING else ()
        for alert in (*news.opened, *news.repeated, *news.still)
    }
    severity = _severity(generation, party)
    about = _about(news, obstacles)
    watched = await watch(generation.chain(route.id), _notification(party, news, about, severity, looked_at), io=how.io)
    stop = _stop(generation, party, news, obstacles, watched, severity, looked_at)
    teller = Teller(
        generation, _view(request, party, news, obstacles, watched, severity, now),
        tuple(alert_view(_enriched(alert, watched)) for alert in news.ended), how.sealed,
    )  # fmt: skip
    heard = party.joined.heard if party.joined and news.transition is Transition.RESOLVED else None
    names = heard if heard is not None else generation.channels_of(route.receiver)
    channels = teller.channels(names, REASONS[news.transition])
    if not stop.why and not any(channel.told for channel in channels):
        stop = Stop("no_channel_wants_it")
    told_at = stop.until if stop.why else looked_at
    if stop.why and told_at is not None:
        told_at = timing.at_or_after(looked_at, told_at)
    escalation = (
        "" if news.transition is Transition.RESOLVED or (incident and incident.escalation) else watched.seen.escalation
    )
    reminder = (
        timing.reminder(told_at, looked_at)
        if told_at is not None and news.transition is not Transition.RESOLVED
        else None
    )
    return ExplainedGroup(
        route=route.id,
        receiver=route.receiver,
        source=party.source,
        group_labels=party.group_labels,
        severity=severity,
        transition=news.transition.value,
        incident=incident.id if incident else "",
        timeline=Timeline(
            format_duration(timing.wait), format_duration(timing.interval),
            format_duration(timing.repeat) if timing.repeat is not None else "", looked_at, reminder,
        ),
        alerts=tuple(GroupAlert(alert.fingerprint, alert.status.value, obstacles.get(alert.key, ())) for alert in party.alerts),
        hooks=watched.hooks,
        told=not stop.why,
        why=stop.why,
        by=stop.by,
        told_at=told_at,
        channels=_stopped(channels, stop.why),
        escalation=escalation,
        steps=tuple(
            replace(step, channels=_stopped(step.channels, stop.why))
            for step in teller.steps(escalation, told_at)
        ),
    )  # fmt: skip


def _stopped(channels: tuple[Told, ...], why: str) -> tuple[Told, ...]:
    """What stops a group stops its channels, those that want it."""
    return tuple(replace(one, told=False, why=why) if why and one.told else one for one in channels)


class How(Struct, frozen=True):
    """`io`: hooks that wait for something run, too. `sealed` as in `Teller`."""

    io: bool = True
    sealed: bool = False


def _news(party: Party) -> _News:
    firing = {member.alert.key: member.shown for member in party.joined.members if member.fires} if party.joined else {}
    opened = tuple(one for one in party.alerts if one.status is Status.FIRING and one.key not in firing)
    repeated = tuple(one for one in party.alerts if one.status is Status.FIRING and one.key in firing)
    ended = tuple(
        one for one in party.alerts if one.status is Status.RESOLVED and (party.joined is None or one.key in firing)
    )
    supposed = {one.key for one in party.alerts}
    still = tuple(alert for key, alert in firing.items() if key not in supposed)
    transition = Transition.CHANGED if party.joined else Transition.OPENED
    if not opened and not ended:
        transition = Transition.REPEAT
    elif not (opened or repeated or still):
        transition = Transition.RESOLVED
    return _News(transition, opened, ended, repeated, still)


def _looked_at(party: Party, news: _News, timing: Timing, now: datetime) -> datetime:
    """A sender's repeat, and an end whose beginning nobody saw, wait for nothing."""
    joined = party.joined
    if not timing.ticks or news.transition is Transition.REPEAT or (joined is None and not news.opened):
        return now
    flushed = joined.incident.flushed_at if joined else None
    if flushed is None and news.opened:
        due = timing.first(min(alert.starts_at for alert in news.opened), now)
    else:
        due = timing.next(flushed, now)
    return max(now, min(due, joined.tick.due_at)) if joined is not None and joined.tick is not None else due


def _about(news: _News, obstacles: Mapping[tuple[str, str, str], tuple[Obstacle, ...]]) -> tuple[Alert, ...]:
    """The alerts that the hooks see: the news that is shown, or all of it where nothing is."""
    if news.transition is Transition.REPEAT:
        return news.repeated or news.ended
    shown = tuple(alert for alert in news.opened if not obstacles.get(alert.key))
    return (*shown, *news.ended) or news.opened


def _notification(party: Party, news: _News, about: tuple[Alert, ...], severity: str, now: datetime) -> Notification:
    incident = party.joined.incident if party.joined else None
    return Notification(
        now=now,
        transition=news.transition,
        alerts=about,
        source=party.source,
        incident=incident.id if incident else SUPPOSED,
        route=party.route.id,
        receiver=party.route.receiver,
        group_labels=party.group_labels,
        severity=severity,
        told_at=incident.told_at if incident else None,
        acknowledged=incident is not None and incident.state == "acknowledged",
        from_webhook=party.source != API,
    )


def _stop(
    generation: Generation,
    party: Party,
    news: _News,
    obstacles: Mapping[tuple[str, str, str], tuple[Obstacle, ...]],
    watched: Watched,
    severity: str,
    now: datetime,
) -> Stop:
    """What keeps the group's people from hearing of it at this look, asked in the bridge's order."""
    if news.transition is Transition.REPEAT and party.source == API:
        return Stop("nothing_new", "the alert fires already; the route's repeat_interval reminds")
    candidates = news.repeated if news.transition is Transition.REPEAT else news.opened
    if candidates and not news.ended and all(obstacles.get(alert.key) for alert in candidates):
        return _hidden([obstacles[alert.key] for alert in candidates])
    verdict = watched.judged.verdict
    if isinstance(verdict, Drop):
        return Stop(verdict.reason, watched.judged.hook)
    if isinstance(verdict, Hold):
        return Stop(verdict.reason, watched.judged.hook, max(verdict.until, now))
    incident = party.joined.incident if party.joined else None
    if incident is not None and incident.state == "acknowledged" and news.transition is not Transition.RESOLVED:
        rises = generation.severities.rises(incident.severity, severity)
        if news.transition is not Transition.CHANGED or not rises:
            return Stop("acknowledged", incident.acknowledged_by)
    return Stop()


def _hidden(found: Sequence[tuple[Obstacle, ...]]) -> Stop:
    """The first obstacle of the alert that is shown first; of an alert with several all must be over."""
    ends = [_over(obstacles) for obstacles in found]
    known = [end for end in ends if end is not None]
    first = found[0][0]
    return Stop(first.why, first.by, min(known, default=None))


def _over(obstacles: tuple[Obstacle, ...]) -> datetime | None:
    ends = [obstacle.until for obstacle in obstacles]
    known = [end for end in ends if end is not None]
    return max(known) if len(known) == len(ends) else None


def _severity(generation: Generation, party: Party) -> str:
    severities = generation.severities
    found = [severities.of(alert.labels) for alert in party.alerts]
    return severities.worst((*([party.joined.incident.severity] if party.joined else []), *found))


def _enriched(alert: Alert, watched: Watched) -> Alert:
    labels = watched.seen.labels.get(alert.fingerprint, {})
    annotations = watched.seen.annotations.get(alert.fingerprint, {})
    if not labels and not annotations:
        return alert
    return replace(alert, labels={**alert.labels, **labels}, annotations={**alert.annotations, **annotations})


def _view(
    request: Webhook,
    party: Party,
    news: _News,
    obstacles: Mapping[tuple[str, str, str], tuple[Obstacle, ...]],
    watched: Watched,
    severity: str,
    now: datetime,
) -> IncidentView:
    """What there is to say: the alerts that fire and are shown; all of them where none is, as if nothing stopped them."""
    incident = party.joined.incident if party.joined else None
    firing = (*news.opened, *news.repeated, *news.still)
    shown = tuple(alert for alert in firing if not obstacles.get(alert.key)) or firing
    views: tuple[AlertView, ...] = tuple(alert_view(_enriched(alert, watched)) for alert in shown)
    return IncidentView(
        reason=REASONS[news.transition],
        status=Status.RESOLVED if news.transition is Transition.RESOLVED else Status.FIRING,
        incident=incident.id if incident else SUPPOSED,
        channel="",
        receiver=party.route.receiver,
        source=party.source,
        route=party.route.id,
        alerts=views,
        group_labels=party.group_labels,
        severity=severity,
        opened_at=incident.opened_at if incident else now,
        dedup=SUPPOSED,
        group_key=request.group_key or group_key_of(party.route.id, party.group_labels),
        external_url=request.external_url,
        truncated=request.truncated,
    )
