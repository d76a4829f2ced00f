"""What people do to incidents and deliveries. The first to acknowledge wins; the second is told who."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.crashpoint import crashpoint
from bridge.domain.delivery import CANCELLED_BY_ACKNOWLEDGEMENT, DeliveryState
from bridge.domain.errors import Conflict, NotFound
from bridge.domain.message import Reason
from bridge.engine import groups, outbox, replay, storm
from bridge.engine.backups import BackupFacts, put_on_record
from bridge.engine.doubt import perhaps_heard, waits_in_doubt
from bridge.engine.generation import ConfiguredChannel
from bridge.engine.queries import Queries
from bridge.engine.replay import Ask
from bridge.engine.transactions import Transactions
from bridge.engine.views import DeliveryView, IncidentDetail, ReplayPage
from bridge.engine.work import Work
from bridge.observe.metrics import Metrics
from bridge.storage import deliveries, incidents, timers
from bridge.storage.incidents import Incident


class Operator(Queries):
    """Acts for a person; `by` is who. Every act is one transaction with its audit record."""

    def __init__(self, transactions: Transactions, metrics: Metrics) -> None:
        super().__init__(transactions)
        self._metrics = metrics

    async def acknowledge(self, incident: str, by: str, now: datetime) -> IncidentDetail:
        """Stop the noise: what is queued for the incident is cancelled, no further step starts.

        The same person again, or a resolved incident: unchanged, with a note.

        Raises:
            NotFound: no such incident.
            Conflict: somebody else acknowledged it first.
        """

        async def decision(work: Work) -> tuple[str, float | None]:
            found = await _get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already; nothing to acknowledge", None
            if found.state == "acknowledged":
                if found.acknowledged_by != by:
                    raise Conflict(f"acknowledged by {found.acknowledged_by} already", found.acknowledged_by)
                return "you acknowledged it already", None
            await _acknowledge(work, found, by)
            crashpoint("ack.before_commit")
            return "", (now - found.opened_at).total_seconds()

        note, seconds = await self._transactions.write(now, decision)
        crashpoint("ack.after_commit")
        if seconds is not None:
            self._metrics.time_to_acknowledge_seconds.observe(seconds)
        return await self.incident(incident, note=note)

    async def unacknowledge(self, incident: str, by: str, now: datetime) -> IncidentDetail:
        """Take an acknowledgement back: the remaining steps wait on, and the receiver hears of it again.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await _get(work, incident)
            if found.state != "acknowledged":
                return f"the incident is {found.state}; nothing to take back"
            opened = replace(
                found, state="open", version=found.version + 1, updated_at=now, acknowledged_at=None, acknowledged_by=""
            )
            work.record(Kind.UNACKNOWLEDGED, actor=by, source=found.source, incident=found.id)
            await timers.resume_steps(work.tx, found.id, now)
            work.effects.due(now)
            told = bool(await incidents.told_channels(work.tx, found.id))
            await outbox.tell(work, opened, Reason.REMINDER if told else Reason.OPENED, first=False)
            opened = replace(opened, told_at=now)
            await incidents.save(work.tx, opened)
            await groups.remind_later(work, opened, work.generation.timing(opened.route, opened.source))
            await storm.unacknowledged(work, found)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def resolve(self, incident: str, by: str, now: datetime) -> IncidentDetail:
        """End an incident by hand. Its sender's repeats are `duplicate` until `reopen_within`, then it reopens.

        Raises:
            NotFound: no such incident.
        """

        async def decision(work: Work) -> str:
            found = await _get(work, incident)
            if found.state == "resolved":
                return "the incident is resolved already"
            ended = replace(
                found, state="resolved", version=found.version + 1, updated_at=now, resolved_at=now, resolved_by=by
            )
            work.record(Kind.RESOLVED, actor=by, source=found.source, incident=found.id, reason="by_hand")
            await timers.stop_steps(work.tx, found.id)
            await outbox.tell(work, ended, Reason.RESOLVED, first=False)
            await incidents.save(work.tx, ended)
            return ""

        return await self.incident(incident, note=await self._transactions.write(now, decision))

    async def retry(self, delivery: str, by: str, now: datetime) -> DeliveryView:
        """Give a dead or parked delivery a new life; it tells the present state. One that has nothing left to say, or
        whose word another brings that waits, becomes `superseded`.

        Raises:
            NotFound: no such delivery.
            Conflict: it is not dead or parked, or nobody is to hear it.
        """
        number = _number(delivery)
        await self._transactions.write(now, partial(replay.retry, delivery=number, by=by))
        return await self.delivery(delivery)

    async def replay(
        self, ask: Ask, by: str, now: datetime, *, cursor: str = "", limit: int = 500, dry_run: bool = False
    ) -> ReplayPage:
        """Give dead letters that are still wanted a new life, one page after the other: go on with the page's `next`.

        A `dry_run` changes nothing and tells what a replay would do.

        Raises:
            NotFound: no such incident, or neither such a channel nor a letter for it.
        """
        return await replay.replay(self._transactions, ask, by, now, cursor=cursor, limit=limit, dry_run=dry_run)

    async def backed_up(self, backup: BackupFacts, by: str, now: datetime) -> BackupFacts:
        """Put a backup that was made beside us on record.

        Raises:
            Conflict: it is one of another database.
        """
        await self._transactions.write(now, lambda work: put_on_record(work.tx, backup, by, now))
        return backup


async def _get(work: Work, incident: str) -> Incident:
    found = await incidents.get(work.tx, incident)
    if found is None:
        raise NotFound(f"no incident {incident}")
    return found


async def _acknowledge(work: Work, found: Incident, by: str) -> None:
    now = work.now
    acknowledged = replace(
        found, state="acknowledged", version=found.version + 1, updated_at=now, acknowledged_at=now, acknowledged_by=by
    )
    work.record(Kind.ACKNOWLEDGED, actor=by, source=found.source, incident=found.id)
    await timers.pause_steps(work.tx, found.id, now)
    for delivery, channel, reason, leased in await deliveries.queued_of_incident(work.tx, found.id):
        if reason in CANCELLED_BY_ACKNOWLEDGEMENT and not leased and not work.is_in_flight(delivery):
            if waits_in_doubt(work, delivery):
                members = await incidents.news_for(work.tx, found.id, channel)
                await perhaps_heard(work, found.id, channel, reason, members)
            await deliveries.stop(work.tx, delivery, DeliveryState.CANCELLED, "acknowledged", now)
            work.record(Kind.CANCELLED, incident=found.id, delivery=delivery, channel=channel, reason="acknowledged")
    await incidents.save(work.tx, acknowledged)
    await outbox.tell_channels(work, acknowledged, await _followers(work, found), Reason.ACKNOWLEDGED)
    await storm.acknowledged(work, acknowledged)


async def _followers(work: Work, found: Incident) -> list[str]:
    """The channels that were told and can show an acknowledgement, or asked for it."""
    channels = work.generation.channels
    told = await incidents.told_channels(work.tx, found.id)
    return [name for name in told if name in channels and _wants_acknowledgement(channels[name])]


def _wants_acknowledgement(configured: ConfiguredChannel) -> bool:
    return configured.follows or Reason.ACKNOWLEDGED in configured.options.send_on


def _number(delivery: str) -> int:
    if not delivery.isdecimal() or len(delivery) > 18:
        raise NotFound(f"no delivery {delivery[:40]!r}: a delivery's id is a number")
    return int(delivery)
