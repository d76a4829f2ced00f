"""What an attempt came to, recorded in one transaction: the delivery's state, who was told, the audit, what follows."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from bridge.channels.api import Receipt
from bridge.domain.alert import Status
from bridge.domain.audit import Kind
from bridge.domain.crashpoint import crashpoint
from bridge.domain.delivery import DeliveryState
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Refused, Retryable
from bridge.domain.message import FOLLOW_UPS, Message, Reason
from bridge.domain.retry import gives_up, wait_before
from bridge.engine import outbox
from bridge.engine.claim import Job, acknowledged_since
from bridge.engine.doubt import in_doubt, perhaps_heard
from bridge.engine.work import Work
from bridge.storage import deliveries, incidents
from bridge.storage.deliveries import Claimed, Live
from bridge.storage.incidents import ToldRow

_UNCOUNTED = frozenset({FailureReason.RATE_LIMITED, FailureReason.BUSY, FailureReason.LEASE_LOST})
_PROBE = timedelta(seconds=5)


class Attempted(Struct, frozen=True):
    """One attempt that is over. Exactly one of `receipt` and `error` is set."""

    job: Job
    live: Live
    message: Message | None
    receipt: Receipt | None
    error: ChannelError | None
    give_up_after: timedelta
    seconds: float
    at: datetime

    @property
    def kind(self) -> Kind:
        """What the attempt is on its own, before time or policy end the delivery."""
        if self.error is None:
            return Kind.SENT
        return Kind.UNKNOWN if isinstance(self.error, Retryable) and self.error.unknown else Kind.RETRY


async def record(work: Work, attempted: Attempted, error: ChannelError, rng: random.Random) -> None:
    """Write a failure down, and queue what follows from it."""
    claimed = attempted.job.claimed
    if attempted.kind is Kind.UNKNOWN or in_doubt(work, claimed):
        told = _told(attempted, firing_only=True)
        if told:
            await incidents.tell(work.tx, told)
    refused_twice = isinstance(error, Permanent) and (claimed.plain or not claimed.incident)
    if refused_twice or await _gives_up(work, attempted):
        await die(work, claimed, error, attempted=attempted)
    else:
        await _again(work, attempted, error, rng)


async def _gives_up(work: Work, attempted: Attempted) -> bool:
    """Whether its time is over, by the row as it is now: it was moved along if the clock jumped during the attempt."""
    claimed, limit = attempted.job.claimed, attempted.give_up_after
    if not gives_up(claimed.created_at, work.now, limit):
        return False
    stored = await deliveries.get(work.tx, claimed.id)
    return stored is None or gives_up(stored.created_at, work.now, limit)


async def record_sent(work: Work, sent: Sequence[Attempted]) -> None:
    """Write down what was made, together."""
    closed = await deliveries.sent(work.tx, [attempted.job.claimed for attempted in sent], work.now)
    told = [row for attempted in sent for row in _told(attempted, firing_only=False)]
    if told:
        await incidents.tell(work.tx, told)
    for attempted in sent:
        claimed = attempted.job.claimed
        receipt = attempted.receipt or Receipt()
        if receipt.data and claimed.incident:
            await incidents.keep_receipt(work.tx, claimed.incident, claimed.channel, receipt.data, work.now)
        kind = Kind.SENT if claimed.id in closed else Kind.LATE
        whom = f"for {claimed.person}" if claimed.person else ""
        _record(work, kind, attempted, claimed.reason.value, "; ".join(filter(None, (whom, receipt.detail))))


def _told(attempted: Attempted, *, firing_only: bool) -> list[ToldRow]:
    """Told is set by outcomes. An unknown end is told again, an unknown firing must be followed by its end."""
    claimed = attempted.job.claimed
    if claimed.reason in FOLLOW_UPS:
        return []
    ended = attempted.job.claimed.reason is Reason.RESOLVED and not firing_only
    return [
        # An incident resolved by hand is over for whoever heard so, though its sender still says firing.
        (
            claimed.incident,
            claimed.channel,
            member.alert_id,
            member.episode,
            Status.RESOLVED if ended else member.alert.status,
        )
        for member in attempted.job.members
        if not firing_only or member.alert.status is Status.FIRING
    ]


async def _again(work: Work, attempted: Attempted, error: ChannelError, rng: random.Random) -> None:
    claimed = attempted.job.claimed
    counted = claimed.counted + (error.reason not in _UNCOUNTED and not isinstance(error, Refused))
    plain = claimed.plain
    if isinstance(error, Permanent):
        due, plain = work.now, True
    elif isinstance(error, Refused):
        due = work.now + _PROBE
    else:
        retry_after = error.retry_after if isinstance(error, Retryable) else None
        due = work.now + wait_before(counted, retry_after, rng)
    crashpoint("retry.reschedule")
    kept = await deliveries.again(
        work.tx, claimed, due, attempts=claimed.attempts + 1, counted=counted, plain=plain, error=str(error)
    )
    _record(work, attempted.kind if kept else Kind.LATE, attempted, error.reason.value, error.detail)
    if kept and not await outbox.give_way(work, claimed, due):
        work.effects.live.append(Live(claimed.id, claimed.incident, claimed.channel, due))


async def die(work: Work, claimed: Claimed, error: ChannelError, *, attempted: Attempted | None = None) -> None:
    """End a delivery that cannot be made, and tell the fallback: about the alert, or about the notice itself."""
    attempts = claimed.attempts + (attempted is not None)
    if attempted is None and in_doubt(work, claimed):
        members = await incidents.news_for(work.tx, claimed.incident, claimed.channel)
        await perhaps_heard(work, claimed.incident, claimed.channel, claimed.reason, members)
    closed = await deliveries.end(
        work.tx, claimed, DeliveryState.DEAD, error.reason.value, work.now, attempts=attempts, counted=claimed.counted,
        error=str(error),
    )  # fmt: skip
    if attempted is not None:
        _record(work, Kind.DEAD if closed else Kind.LATE, attempted, error.reason.value, error.detail)
    elif closed:
        work.record(
            Kind.DEAD, incident=claimed.incident, delivery=claimed.id, channel=claimed.channel, reason=error.reason.value, detail=error.detail,
        )  # fmt: skip
    fallback = work.generation.fallback_for(claimed.channel)
    if not closed or not fallback:
        return
    crashpoint("dead.before_meta_alert")
    note = f"not delivered over {claimed.channel}: {error}"
    incident = await incidents.get(work.tx, claimed.incident) if claimed.incident else None
    if incident is not None and acknowledged_since(incident, claimed):
        return
    if incident is not None and claimed.reason in FOLLOW_UPS:  # the fallback has nothing that could follow
        where = f"incident {incident.id} is {incident.state}, and what was told there does not say so"
        await outbox.notice(work, f"{note}\n{where}", about=claimed.channel)
    elif incident is not None:
        await outbox.put(work, incident, fallback, claimed.reason, note=note)
    elif not claimed.note.startswith("not delivered"):  # a notice about a notice ends here
        await outbox.notice(work, f"{note}\n{claimed.note}", about=claimed.channel)


def _record(work: Work, kind: Kind, attempted: Attempted, reason: str, detail: str) -> None:
    claimed = attempted.job.claimed
    work.record(
        kind, incident=claimed.incident, delivery=claimed.id, channel=claimed.channel, attempt=claimed.attempts + 1,
        reason=reason, digest=_digest(attempted), detail=detail,
    )  # fmt: skip


def _digest(attempted: Attempted) -> str:
    """The channel's own of what it sent, else SHA-256 of what people were shown: title, text, each alert's state."""
    message, receipt = attempted.message, attempted.receipt
    if receipt is not None and receipt.digest:
        return receipt.digest
    if message is None:
        return ""
    shown = [message.title, message.text, *(f"{alert.fingerprint} {alert.status.value}" for alert in message.alerts)]
    return hashlib.sha256("\n".join(shown).encode()).hexdigest()
