"""What happened to incidents, read page by page for those who count it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from bridge.domain.audit import Kind
from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx


class Fact(Struct, frozen=True, gc=False):
    """A record of an incident, with what the incident is. `labels` are the incident's as the database keeps them; `people`
    is for whom a message was, empty if for nobody in particular.
    """

    incident: str
    source: str
    route: str
    group_hash: str
    labels: str
    seq: int
    at: datetime
    kind: Kind
    actor: str
    channel: str
    reason: str
    people: tuple[str, ...] = ()


class Bounds(Struct, frozen=True):
    """Which facts are wanted: those at or after `since`, of incidents opened before `until`.

    An incident that ended and was not touched since `touched` has none of them.
    """

    since: datetime
    until: datetime
    touched: datetime

    @property
    def end(self) -> str:
        """Every id of an incident that was opened before is less."""
        return f"{micros(self.until):014x}"


async def total(tx: Tx, bounds: Bounds) -> int:
    """How many incidents there are to look at."""
    row = await tx.one("numbers_total", bounds.end, micros(bounds.touched))
    return int(row[0]) if row else 0


async def facts(tx: Tx, bounds: Bounds, after: tuple[str, int], limit: int) -> list[Fact]:
    """A page of facts by (incident, seq), those behind `after`."""
    incident, seq = after
    touched, since = micros(bounds.touched), micros(bounds.since)
    rows = await tx.all("numbers_facts", incident, incident, seq, bounds.end, touched, since, limit)
    return [
        Fact(
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            row[5],
            moment(row[6]),
            Kind(row[7]),
            row[8],
            row[9],
            row[10],
            _names(row[11]),
        )
        for row in rows
    ]


def _names(people: str) -> tuple[str, ...]:
    return tuple(people.split("/")) if people else ()
