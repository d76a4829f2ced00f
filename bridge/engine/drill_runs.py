"""The test of a fire drill: what is sent, and how far it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.domain.alert import DRILL, Alert, Status, Webhook, fingerprint
from bridge.domain.delivery import DeliveryState
from bridge.domain.duration import format_duration
from bridge.domain.message import Reason
from bridge.engine.own_alerts import FORMAT
from bridge.engine.work import Work
from bridge.routing.drills import Drill
from bridge.storage import alerts, deliveries, incidents
from bridge.storage.deliveries import Stored, Wanted
from bridge.storage.incidents import Incident

_MOST = 1000
_WAITS = frozenset({DeliveryState.PENDING.value, DeliveryState.LEASED.value, DeliveryState.PARKED.value})


class Verdict(Struct, frozen=True):
    """How one went: `passed`, `failed` or `missed`, after how many milliseconds it was delivered and acknowledged (-1 for
    never), and why it did not pass.
    """

    outcome: str
    delivered_ms: int = -1
    acknowledged_ms: int = -1
    detail: str = ""
    incident: str = ""

    @property
    def told(self) -> str:
        """In words, for the audit."""
        parts = [f"delivered after {self.delivered_ms} ms"] if self.delivered_ms >= 0 else []
        if self.acknowledged_ms >= 0:
            parts.append(f"acknowledged after {self.acknowledged_ms} ms")
        return ", ".join([*parts, self.detail] if self.detail else parts)


def request(
    run: str, labels: Mapping[str, str], annotations: Mapping[str, str], began: datetime, *,
    to: str = "", ended: datetime | None = None,
) -> Webhook:  # fmt: skip
    """The test, or its end: an alert of its own in a group of its own, so that none joins another."""
    status = Status.FIRING if ended is None else Status.RESOLVED
    alert = Alert(
        *_key(run), status, labels, annotations, began, ended, began.isoformat(), ended.isoformat() if ended else ""
    )
    title = {"alertname": labels["alertname"]} if "alertname" in labels else {}
    return Webhook(DRILL, FORMAT, (alert,), receiver=to, org=run, group_labels=title)


async def labels_of(work: Work, run: str) -> Mapping[str, str]:
    """Those that the test was sent with; empty if it is not known any more."""
    for incident in await _incidents(work, run):
        for member in await incidents.members(work.tx, incident.id):
            return member.alert.labels
    return {}


async def judge(work: Work, drill: Drill, run: str, began: datetime) -> Verdict | None:
    """Whether everybody was told, and somebody acknowledged it, in time; None while that is open."""
    found = await _incidents(work, run)
    told = [
        delivery
        for incident in found
        for delivery in await deliveries.page(work.tx, 0, tuple(DeliveryState), Wanted(incident=incident.id), _MOST)
        if delivery.reason == Reason.OPENED.value  # an escalation's steps have their own times
    ]
    delivered, late = _delivered(told, found)
    acknowledged = min((at for incident in found if (at := _answered(incident)) is not None), default=None)
    times = _after(delivered, began), _after(acknowledged, began)
    incident = found[0].id if found else ""
    if problem := _delivery_problem(drill, work.now - began, _span(delivered, began), late, told):
        return Verdict("failed", *times, problem, incident)
    if delivered is None:
        return None
    if drill.acknowledge is None:
        return Verdict("passed", *times, incident=incident)
    if acknowledged is not None and acknowledged - began <= drill.acknowledge:
        return Verdict("passed", *times, incident=incident)
    if work.now - began < drill.acknowledge:
        return None
    return Verdict("failed", *times, f"nobody acknowledged it within {format_duration(drill.acknowledge)}", incident)


def _delivery_problem(
    drill: Drill, passed: timedelta, took: timedelta | None, late: list[str], told: Iterable[Stored]
) -> str:
    """Why the messages did not arrive in time; empty if they did, or still may."""
    within = format_duration(drill.within)
    if took is not None:
        return "" if took <= drill.within else f"it was delivered after {took}, not within {within}"
    if passed < drill.within:
        return ""
    if not any(told):
        return f"nobody was told within {within}: no message was planned, or a silence or mute time hides it"
    return f"not delivered within {within}: {', '.join(late) or 'it was acknowledged before anything arrived'}"


def _delivered(told: list[Stored], found: Iterable[Incident]) -> tuple[datetime | None, list[str]]:
    """When the last channel had its first message, None if one has none; and which have none.

    What an acknowledgement cancelled needs not arrive.
    """
    arrived: dict[str, datetime] = {}
    for delivery in told:
        if delivery.state == DeliveryState.SENT.value and delivery.ended_at is not None:
            arrived[delivery.channel] = min(delivery.ended_at, arrived.get(delivery.channel, delivery.ended_at))
    answered = any(_answered(incident) is not None for incident in found)
    wanted = {each.channel for each in told if not answered or each.state in _WAITS | {DeliveryState.DEAD.value}}
    late = sorted(wanted - arrived.keys())
    return (None if late or not arrived else max(arrived.values())), late


def _answered(incident: Incident) -> datetime | None:
    """When somebody took it, or ended it by hand."""
    if incident.acknowledged_at is not None:
        return incident.acknowledged_at
    return incident.resolved_at if incident.resolved_by else None


async def _incidents(work: Work, run: str) -> list[Incident]:
    known = await alerts.known(work.tx, _key(run))
    ids = await incidents.with_firing(work.tx, known.id) if known is not None else []
    return [found for each in ids if (found := await incidents.get(work.tx, each)) is not None]


def _key(run: str) -> tuple[str, str, str]:
    return (DRILL, run, fingerprint({DRILL: run}))


def _span(moment: datetime | None, began: datetime) -> timedelta | None:
    return None if moment is None else max(moment - began, timedelta())


def _after(moment: datetime | None, began: datetime) -> int:
    span = _span(moment, began)
    return -1 if span is None else span // timedelta(milliseconds=1)
