"""A request is stored with its records, whoever plans it."""

from __future__ import annotations

import zlib

from bridge.domain.alert import Webhook
from bridge.domain.audit import Kind
from bridge.engine.generation import group_hash
from bridge.engine.work import Work
from bridge.storage import journal

_NAMED_QUARANTINES = 20
_PARTITIONS = 64


async def keep(work: Work, webhook: Webhook, body: bytes, digest: str, *, planned: bool) -> int:
    """Store a request with its records; gives its number."""
    generation = work.generation.digest
    request = await journal.add(
        work.tx,
        webhook.source,
        work.now,
        digest,
        body,
        generation,
        planned=planned,
        partition=_partition(work, webhook),
    )
    work.record(Kind.RECEIVED, source=webhook.source, digest=digest, detail=_summary(request, webhook))
    for entry in webhook.quarantined[:_NAMED_QUARANTINES]:
        work.record(
            Kind.QUARANTINED, source=webhook.source, digest=entry.digest, reason="malformed",
            detail=f"request {request}, alerts[{entry.index}]: {entry.problem}",
        )  # fmt: skip
    rest = len(webhook.quarantined) - _NAMED_QUARANTINES
    if rest > 0:
        work.record(
            Kind.QUARANTINED, source=webhook.source, digest=digest, reason="malformed",
            detail=f"request {request}: {rest} more entries",
        )  # fmt: skip
    if webhook.truncated:
        work.record(
            Kind.TRUNCATED,
            source=webhook.source,
            digest=digest,
            detail=f"the sender left out {webhook.truncated} alerts",
        )
    return request


def _partition(work: Work, webhook: Webhook) -> int:
    """What is planned in its order, if it waits: requests of one source about one group, on whichever bridge they come."""
    if not work.owner:
        return 0
    return zlib.crc32(f"{webhook.source} {group_hash(webhook.org, webhook.group_labels)}".encode()) % _PARTITIONS


def _summary(request: int, webhook: Webhook) -> str:
    return (
        f'{{"request":{request},"alerts":{len(webhook.alerts)},"quarantined":{len(webhook.quarantined)},'
        f'"format":"{webhook.format}"}}'
    )
