"""One attempt: the message is made from what is true now, and handed to the channel within its time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import structlog
from msgspec import Struct

from bridge.channels.api import Context, Receipt
from bridge.domain.alert import Alert, Status
from bridge.domain.clock import Clock
from bridge.domain.crashpoint import crashpoint
from bridge.domain.errors import ChannelError, FailureReason, Retryable
from bridge.domain.message import Action, AlertView, Message, Reason
from bridge.domain.storm import GROUP
from bridge.engine import offers
from bridge.engine.claim import Job
from bridge.engine.generation import ConfiguredChannel, Generation
from bridge.engine.leases import Leases
from bridge.engine.links import links_of
from bridge.engine.outcome import Attempted
from bridge.engine.render import IncidentView, render
from bridge.net.deadline import Deadline
from bridge.secrets.instance import InstanceKeys
from bridge.storage.deliveries import Claimed, Live
from bridge.storage.incidents import Member

_log = structlog.get_logger("bridge.attempt")


class Attempt(Struct, frozen=True):
    """What attempts need besides the configuration."""

    keys: InstanceKeys
    clock: Clock
    redact: Callable[[str], str]
    deadlines: dict[float, Deadline] = {}

    async def make(
        self,
        generation: Generation,
        configured: ConfiguredChannel,
        live: Live,
        job: Job,
        leases: Leases | None = None,
    ) -> Attempted:
        """Try a delivery once; every failure becomes an outcome. A claim that was not renewed in time is not used."""
        started = time.perf_counter()
        message: Message | None = None
        receipt: Receipt | None = None
        error: ChannelError | None = None
        try:
            words = getattr(configured.channel, "reads_words", True) is not False
            view = self.view(configured, job, self._actions(generation, configured, job, words=words))
            message = render(view, configured.options, generation.templates, words=words)
            if leases is not None and not leases.holds(live.id):
                raise Retryable(FailureReason.LEASE_LOST, "another bridge may have it by now")  # noqa: TRY301 - an outcome
            crashpoint("send.before_connect")
            receipt = await self._send(generation, configured, job, message)
            crashpoint("send.after_response")
        except ChannelError as failure:
            error = failure
        except asyncio.CancelledError:
            error = Retryable(FailureReason.TIMEOUT, "cut off: the bridge stopped, or lost its lease", unknown=True)
        except BaseException as failure:  # noqa: BLE001 - a plugin may raise anything, SystemExit too
            _log.error("channel_failed", channel=configured.name, error=type(failure).__name__)
            error = Retryable(FailureReason.PLUGIN_ERROR, type(failure).__name__)
        if error is not None:
            error.redact(self.redact)
        seconds = time.perf_counter() - started
        return Attempted(
            job, live, message, receipt, error, configured.options.give_up_after, seconds, self.clock.now()
        )

    async def _send(self, generation: Generation, configured: ConfiguredChannel, job: Job, message: Message) -> Receipt:
        channel = configured.channel
        if channel is None:
            raise Retryable(FailureReason.SECRET_UNREADABLE, configured.problem)
        claimed = job.claimed
        context = Context(
            http=generation.http,
            now=self.clock.now(),
            idempotency_key=self.keys.idempotency("delivery", _life(claimed), claimed.incident or claimed.note),
            attempt=claimed.attempts + 1,
            previous=Receipt(job.receipt) if job.receipt else None,
            plain=claimed.plain,
        )
        limit = configured.options.timeout.total_seconds()
        deadline = self.deadlines.get(limit) or self.deadlines.setdefault(limit, Deadline(limit))
        try:
            with deadline:
                return _checked(await channel.send(message, context))
        except TimeoutError as late:
            raise Retryable(FailureReason.TIMEOUT, f"no end within {limit:g} s", unknown=True) from late

    def _actions(
        self, generation: Generation, configured: ConfiguredChannel, job: Job, *, words: bool
    ) -> tuple[Action, ...]:
        """What readers may do about the incident; where nothing is read that is nothing."""
        incident, buttons = job.incident, offers.hears(configured.channel)
        if incident is None or not (buttons or (words and generation.config.server.external_url)):
            return ()
        at = offers.At(configured.name, incident.id, incident.state, self.clock.now(), job.claimed.person)
        return offers.actions(links_of(self.keys), generation.config, at, buttons=buttons)

    def view(self, configured: ConfiguredChannel, job: Job, actions: tuple[Action, ...] = ()) -> IncidentView:
        """What the message says."""
        incident = job.incident
        if incident is None:
            return _notice(configured, job.claimed, self.keys)
        reason = job.claimed.reason
        resolved = incident.state == "resolved"
        return IncidentView(
            reason=reason,
            status=Status.RESOLVED if resolved else Status.FIRING,
            incident=incident.id,
            channel=configured.name,
            receiver=incident.receiver,
            source=incident.source,
            route=incident.route,
            alerts=tuple(alert_view(member.shown) for member in _wanted(job, configured)),
            group_labels=incident.group_labels,
            severity=incident.severity,
            opened_at=incident.opened_at,
            dedup=self.keys.idempotency("incident", incident.id, configured.name),
            group_key=incident.group_key or group_key_of(incident.route, incident.group_labels),
            external_url=incident.external_url,
            note=job.claimed.note,
            acknowledged_by=incident.acknowledged_by,
            truncated=incident.truncated,
            fired_and_resolved=resolved and reason is Reason.RESOLVED and not job.told,
            digest=incident.group_hash == GROUP,
            actions=actions,
            resolved_by=incident.resolved_by,
            snoozed_until=incident.snoozed_until,
            via=incident.via,
        )


def _life(claimed: Claimed) -> str:
    """A delivery that was given a new life may say something else: its receiver must not take it for what it knows.

    The number alone does not do for a key either: after a backup was restored, or a standby that lagged was promoted,
    it may be given again, to another incident's delivery.
    """
    return f"{claimed.id}.{claimed.replayed}" if claimed.replayed else str(claimed.id)


def _wanted(job: Job, configured: ConfiguredChannel) -> list[Member]:
    """Resolved alerts are left out where nobody wants them, or where the channel hears of the incident for the first time;
    but an opening lists what ended while its group waited for it.
    """
    reason = job.claimed.reason
    fresh = not job.told and reason is not Reason.RESOLVED
    if not fresh and configured.options.send_resolved:
        return list(job.members)
    lists_ended = reason is Reason.OPENED and configured.options.send_resolved
    wanted = [
        member for member in job.members if member.fires or (lists_ended and member.planned in {"resolved", "past"})
    ]
    return wanted or list(job.members)


def alert_view(alert: Alert) -> AlertView:
    """An alert as it is shown, once hooks' labels and annotations are merged in."""
    return AlertView(
        fingerprint=alert.fingerprint,
        status=alert.status,
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.starts_at,
        ends_at=alert.ends_at,
        starts_text=alert.starts_text,
        ends_text=alert.ends_text,
        generator_url=alert.generator_url,
        extra=alert.extra,
    )


def group_key_of(route: str, labels: Mapping[str, str]) -> str:
    """The group as receivers written for Alertmanager expect it, made from what identifies the group here."""
    listed = ", ".join(f'{name}="{value}"' for name, value in sorted(labels.items()))
    return f"{{}}/{route}:{{{listed}}}"


def _notice(configured: ConfiguredChannel, claimed: Claimed, keys: InstanceKeys) -> IncidentView:
    """A word of the bridge itself, shaped as one alert so that every channel can say it."""
    labels = {"alertname": "AlertbridgeNotice", "severity": "warning"}
    alert = AlertView(
        fingerprint=keys.idempotency("notice", str(claimed.id)),
        status=Status.FIRING,
        labels=labels,
        annotations={"summary": claimed.note},
        starts_at=claimed.created_at,
        ends_at=None,
    )
    return IncidentView(
        reason=Reason.NOTICE, status=Status.FIRING, incident="", channel=configured.name, receiver=configured.name,
        source="alertbridge", route="", alerts=(alert,), group_labels=labels, severity="warning",
        opened_at=claimed.created_at, dedup=keys.idempotency("notice", str(claimed.id)), group_key="{}:{}",
    )  # fmt: skip


def _checked(receipt: object) -> Receipt:
    if not isinstance(receipt, Receipt):
        raise Retryable(FailureReason.PLUGIN_ERROR, "the channel gave no receipt")
    return receipt


def test_view(configured: ConfiguredChannel, now: datetime) -> IncidentView:
    """What `alertbridge send` says: marked TEST, no incident behind it."""
    labels = {"alertname": "AlertbridgeTest", "severity": "info"}
    alert = AlertView(
        fingerprint="0000000000000000",
        status=Status.FIRING,
        labels=labels,
        annotations={"summary": "TEST: this message was asked for, nothing is wrong"},
        starts_at=now.astimezone(UTC),
        ends_at=None,
    )
    return IncidentView(
        reason=Reason.TEST, status=Status.FIRING, incident="", channel=configured.name, receiver=configured.name,
        source="alertbridge", route="", alerts=(alert,), group_labels=labels, severity="info", opened_at=now,
        dedup=f"test-{configured.name}", group_key="{}:{}",
    )  # fmt: skip
