"""What may go: old records, ended incidents with all that hangs on them, requests, and alerts nobody reports any more.

Every read looks at a page, every deletion takes a page, and looks again whether what it takes may still go.
"""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx


class StoredCheckpoint(Struct, frozen=True):
    id: int
    at: datetime
    note: str


class Span(Struct, frozen=True):
    """Records between two sequence numbers: how many, the latest time among them, the highest delivery they tell of."""

    records: int
    newest: datetime
    deliveries: int


class End(Struct, frozen=True):
    """The last record of a chain within a span."""

    seq: int
    chain: str
    hash: bytes
    kind: str


class Page(Struct, frozen=True):
    """`ids` may go. `last` is where the next page begins, and `more` whether there may be one."""

    ids: tuple[str, ...] | tuple[int, ...]
    last: str | int
    more: bool


async def first_record(tx: Tx) -> tuple[int, datetime] | None:
    """Sequence number and time of the oldest record."""
    row = await tx.one("audit_first")
    return None if row is None else (row[0], moment(row[1]))


async def checkpoints(tx: Tx, limit: int) -> list[StoredCheckpoint]:
    """The oldest checkpoints, in order."""
    return [StoredCheckpoint(row[0], moment(row[1]), row[2]) for row in await tx.all("checkpoints_oldest", limit)]


async def span(tx: Tx, first: int, last: int) -> Span:
    row = await tx.one("audit_span", first, last)
    return Span(row[0], moment(row[1] or 0), int(row[2])) if row else Span(0, moment(0), 0)


async def ends(tx: Tx, first: int, last: int) -> list[End]:
    """The last record of every chain that has one from `first` to `last`, by sequence number."""
    return [End(row[0], row[1], row[2], row[3]) for row in await tx.all("audit_ends", first, last)]


async def drop_records(tx: Tx, last: int, checkpoint: int) -> None:
    """Delete every record up to `last`, and every checkpoint up to the id `checkpoint`."""
    await tx.run("audit_prune", last)
    await tx.run("checkpoints_prune", checkpoint)


async def incidents(tx: Tx, after: str, before: datetime, limit: int) -> Page:
    """A page of incidents opened before that hour, and which of them ended before it and left nothing behind: no record
    of them in the audit, no alert that still fires, no delivery that waits.
    """
    rows = await tx.all("incidents_to_prune", micros(before), after, f"{micros(before):014x}", limit)
    return Page(tuple(row[0] for row in rows if row[1]), rows[-1][0] if rows else after, len(rows) == limit)


async def drop_incident(tx: Tx, incident: str, before: datetime, limit: int) -> tuple[int, bool]:
    """Delete an incident with its deliveries, alerts, comments, and what was told; at most about `limit` rows of each, and the
    incident itself last. Gives how many rows went, and whether it is all gone (or may not go).
    """
    if await tx.one("incident_may_go", incident, micros(before)) is None:
        return 0, True
    gone = await tx.run("deliveries_prune", incident, limit)
    whole = gone < limit
    for name in ("told_prune", "receipts_prune", "comments_prune", "responders_prune", "incident_alerts_prune"):
        taken = await tx.run(name, incident, incident, limit)
        whole = whole and taken < limit
        gone += taken
    if whole:
        gone += await tx.run("incident_prune", incident)
    return gone, whole


async def drop_notices(tx: Tx, before: datetime, limit: int) -> int:
    """Delete notices that ended before that hour and left no record in the audit; gives how many."""
    return await tx.run("notices_prune", micros(before), limit)


async def requests(tx: Tx, after: int, before: datetime, limit: int, most_bytes: int) -> Page:
    """A page of requests received before that hour that are planned or put aside, of so many bytes at most."""
    rows = await tx.all("requests_to_prune", after, limit)
    ids: list[int] = []
    total = 0
    for number, received_at, size, may_go in rows:
        total += size
        if received_at >= micros(before) or (ids and total > most_bytes):
            return Page(tuple(ids), after, more=received_at < micros(before))
        after = number
        if may_go:
            ids.append(number)
    return Page(tuple(ids), after, len(rows) == limit)


async def drop_requests(tx: Tx, page: Page) -> None:
    await tx.many("request_prune", [(number,) for number in page.ids])


async def alerts(tx: Tx, after: int, before: datetime, limit: int) -> Page:
    """A page of alerts, and which of them resolved before that hour, were not reported since, and are in no incident."""
    rows = await tx.all("alerts_to_prune", micros(before), micros(before), after, limit)
    return Page(tuple(row[0] for row in rows if row[1]), rows[-1][0] if rows else after, len(rows) == limit)


async def drop_alerts(tx: Tx, page: Page, before: datetime) -> None:
    await tx.many("alert_prune", [(number, micros(before), micros(before)) for number in page.ids])
