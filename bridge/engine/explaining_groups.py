"""One group of alerts that are only supposed: when it would be looked at, what stops it, who would read what."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.domain.alert import API, Alert, Status, Webhook
from bridge.domain.duration import format_duration
from bridge.domain.ticks import Timing
from bridge.engine.attempt import alert_view, group_key_of
from bridge.engine.explaining_hiding import Hiding
from bridge.engine.explaining_hooks import Watched, watch
from bridge.engine.explaining_messages import Teller
from bridge.engine.explaining_news import Looked, Party, Stop, first_look, news_of, stop_of
from bridge.engine.explaining_views import Called, EscalationStep, ExplainedGroup, GroupAlert, Timeline, Told
from bridge.engine.generation import Generation
from bridge.engine.on_call import Shifts
from bridge.engine.render import IncidentView
from bridge.engine.telling import REASONS
from bridge.hooks.api import Notification, Transition

SUPPOSED = "supposed"
"""What stands for the id of an incident that there is not."""


class How(Struct, frozen=True):
    """`io`: hooks that wait for something run, too. `sealed` as in `Teller`. `unheard`: nobody was told of what fires, where
    no incident is open. `shifts`: what calendars say.
    """

    io: bool = True
    sealed: bool = False
    unheard: bool = True
    shifts: Shifts = {}


async def explain_group(hiding: Hiding, request: Webhook, party: Party, now: datetime, how: How) -> ExplainedGroup:
    """What would become of the group."""
    generation = hiding.generation
    timing = generation.timing(party.route.id, party.source)
    looked = _look(hiding, party, timing, now)
    watched = await watch(generation.chain(party.route.id), _notification(looked), io=how.io)
    stop = stop_of(generation, looked, watched.judged)
    teller = _teller(generation, request, looked, watched, how)
    channels, called = _told(teller, looked)
    if not stop.why and not any(channel.told for channel in channels):
        stop = Stop("no_channel_wants_it")
    until = stop.until if stop.why else looked.at
    told_at = timing.at_or_after(looked.at, until) if stop.why and until is not None else until
    escalation = _escalation(looked, watched)
    return ExplainedGroup(
        route=party.route.id,
        receiver=party.route.receiver,
        source=party.source,
        group_labels=party.group_labels,
        severity=looked.severity,
        transition=looked.news.transition.value,
        incident=party.incident.id if party.incident else "",
        timeline=_timeline(timing, looked, told_at),
        alerts=tuple(
            GroupAlert(one.fingerprint, one.status.value, looked.obstacles.get(one.key, ())) for one in party.alerts
        ),
        hooks=watched.hooks,
        told=not stop.why,
        why=stop.why,
        by=stop.by,
        told_at=told_at,
        channels=_stopped(channels, stop.why),
        escalation=escalation,
        steps=_steps(teller.steps(escalation, told_at, looked.at), stop.why),
        called=called,
    )


def _look(hiding: Hiding, party: Party, timing: Timing, now: datetime) -> Looked:
    """An end is told whatever hides."""
    news = news_of(party)
    at = first_look(party, news, timing, now)
    hides = news.transition is not Transition.RESOLVED
    obstacles = {alert.key: hiding.obstacles(alert, party.route, at) for alert in news.firing} if hides else {}
    severities = hiding.generation.severities
    before = [party.incident.severity] if party.incident else []
    severity = severities.worst((*before, *(severities.of(alert.labels) for alert in party.alerts)))
    return Looked(party, news, at, severity, obstacles)


def _notification(looked: Looked) -> Notification:
    party, incident = looked.party, looked.party.incident
    return Notification(
        now=looked.at,
        transition=looked.news.transition,
        alerts=looked.about,
        source=party.source,
        incident=incident.id if incident else SUPPOSED,
        route=party.route.id,
        receiver=party.route.receiver,
        group_labels=party.group_labels,
        severity=looked.severity,
        told_at=incident.told_at if incident else None,
        acknowledged=incident is not None and incident.quiet,
        from_webhook=party.source != API,
    )


def _told(teller: Teller, looked: Looked) -> tuple[tuple[Told, ...], Called]:
    """Whom the receiver comes to; of an end in an incident those who were told of a firing."""
    joined, transition = looked.party.joined, looked.news.transition
    if joined is not None and transition is Transition.RESOLVED:
        return teller.channels(joined.heard, REASONS[transition]), Called()
    return teller.called((looked.party.route.receiver,), REASONS[transition], looked.at)


def _escalation(looked: Looked, watched: Watched) -> str:
    """The one that would begin. One that has begun goes on as it is."""
    incident = looked.party.incident
    begun = incident is not None and (incident.escalation != "" or incident.state != "open")
    return "" if begun or looked.news.transition is Transition.RESOLVED else watched.seen.escalation


def _timeline(timing: Timing, looked: Looked, told_at: datetime | None) -> Timeline:
    ends = told_at is None or looked.news.transition is Transition.RESOLVED
    return Timeline(
        group_wait=format_duration(timing.wait),
        group_interval=format_duration(timing.interval),
        repeat_interval=format_duration(timing.repeat) if timing.repeat is not None else "",
        looked_at=looked.at,
        reminder_at=None if ends or told_at is None else timing.reminder(told_at, looked.at),
    )


def _steps(steps: tuple[EscalationStep, ...], why: str) -> tuple[EscalationStep, ...]:
    return tuple(replace(step, channels=_stopped(step.channels, why)) for step in steps)


def _stopped(channels: tuple[Told, ...], why: str) -> tuple[Told, ...]:
    """What stops a group stops its channels, those that want it."""
    return tuple(replace(one, told=False, why=why) if why and one.told else one for one in channels)


def _teller(generation: Generation, request: Webhook, looked: Looked, watched: Watched, how: How) -> Teller:
    party, incident, transition = looked.party, looked.party.incident, looked.news.transition
    resolved = transition is Transition.RESOLVED
    view = IncidentView(
        reason=REASONS[transition],
        status=Status.RESOLVED if resolved else Status.FIRING,
        incident=incident.id if incident else SUPPOSED,
        channel="",
        receiver=party.route.receiver,
        source=party.source,
        route=party.route.id,
        alerts=tuple(alert_view(_enriched(alert, watched)) for alert in looked.shown),
        group_labels=party.group_labels,
        severity=looked.severity,
        opened_at=incident.opened_at if incident else looked.at,
        dedup=SUPPOSED,
        group_key=request.group_key or group_key_of(party.route.id, party.group_labels),
        external_url=request.external_url,
        truncated=request.truncated,
        fired_and_resolved=resolved and incident is None and how.unheard,
    )
    ended = tuple(alert_view(_enriched(alert, watched)) for alert in looked.news.ended)
    return Teller(generation, view, ended, how.sealed, how.shifts)


def _enriched(alert: Alert, watched: Watched) -> Alert:
    labels = watched.seen.labels.get(alert.fingerprint, {})
    annotations = watched.seen.annotations.get(alert.fingerprint, {})
    if not labels and not annotations:
        return alert
    return replace(alert, labels={**alert.labels, **labels}, annotations={**alert.annotations, **annotations})
