"""Deliveries whose channel was taken out of the configuration go to the route's present receiver."""

from __future__ import annotations

from datetime import datetime

from msgspec.structs import replace

from bridge.domain.audit import Kind
from bridge.domain.delivery import DeliveryState
from bridge.domain.errors import FailureReason
from bridge.engine import outbox
from bridge.engine.transactions import Transactions
from bridge.engine.work import Work
from bridge.storage import deliveries, incidents
from bridge.storage.deliveries import Claimed

_PAGE = 200


async def rehome(transactions: Transactions, now: datetime) -> None:
    """Move on what has been parked for `rehome_after` because its channel is missing."""
    before = now - transactions.generation().config.rehome_after
    reason = FailureReason.CHANNEL_MISSING.value
    waiting = await transactions.read(lambda tx: deliveries.parked_since(tx, reason, before, _PAGE))
    if not waiting:
        return

    async def decision(work: Work) -> None:
        for delivery in waiting:
            claimed = await deliveries.claim(work.tx, delivery)
            if claimed is not None and claimed.channel not in work.generation.channels:
                await _move(work, claimed)

    await transactions.write(now, decision)


async def _move(work: Work, claimed: Claimed) -> None:
    """Whoever of the new receiver was told nothing yet gets the whole state; the others know it."""
    incident = await incidents.get(work.tx, claimed.incident) if claimed.incident else None
    if incident is None:
        return
    route = work.generation.routes.get(incident.route, work.generation.root)
    present = [name for name in outbox.behind(work, route.receiver).channels if name in work.generation.channels]
    if not present:
        return
    channels = [name for name in present if not await incidents.was_told(work.tx, incident.id, name)]
    await deliveries.stop(work.tx, claimed.id, DeliveryState.SUPERSEDED, "rerouted", work.now)
    work.record(
        Kind.SUPERSEDED, source=incident.source, incident=incident.id, delivery=claimed.id, channel=claimed.channel,
        reason="rerouted", detail=", ".join(channels),
    )  # fmt: skip
    moved = replace(incident, receiver=route.receiver)
    await incidents.save(work.tx, moved)
    for channel in channels:
        await outbox.put(work, moved, channel, claimed.reason, note=f"instead of {claimed.channel}, which is gone")
