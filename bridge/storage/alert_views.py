"""What fires, read for those who ask: page by page, off the way of what is planned and sent."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec
from msgspec import Struct

from bridge.storage.text import unpack
from bridge.storage.transaction import Tx


class Head(Struct, frozen=True, gc=False):
    """A firing alert in short: as many of these as fire are in memory at once."""

    fingerprint: str
    id: int
    last_seen: int


class Firing(Struct, frozen=True):
    """A firing alert with what hooks added. Times are microseconds since 1970; `expires_at` is None where only its sender
    ends it.
    """

    id: int
    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: int
    last_seen: int
    generator_url: str
    expires_at: int | None


class Group(Struct, frozen=True):
    """An incident that goes on, in short."""

    id: str
    route: str
    receiver: str
    labels: Mapping[str, str]


async def heads(tx: Tx, after: int, limit: int) -> list[Head]:
    """Firing alerts by id, beyond `after`."""
    return [Head(row[1], row[0], row[2]) for row in await tx.all("view_heads", after, limit)]


def every(_labels: Mapping[str, str]) -> bool:
    """Whatever they are."""
    return True


async def firing(
    tx: Tx, ids: Collection[int], wanted: Callable[[Mapping[str, str]], bool] = every
) -> dict[int, Firing]:
    """Those of these alerts that still fire and whose labels are wanted, by id."""
    found = {}
    for row in await tx.all("view_firing", _json(ids)):
        labels = unpack(row[2]) | unpack(row[4])
        if wanted(labels):
            annotations = unpack(row[3]) | unpack(row[5])
            found[row[0]] = Firing(row[0], row[1], labels, annotations, row[6], row[7], row[8], row[9])
    return found


async def fingerprints(tx: Tx, ids: Collection[int]) -> dict[int, str]:
    """The fingerprints of alerts, by id."""
    return {row[0]: row[1] for row in await tx.all("view_fingerprints", _json(ids))} if ids else {}


async def groups(tx: Tx, after: str, limit: int) -> list[Group]:
    """Incidents that go on, by id, beyond `after`."""
    rows = await tx.all("view_groups", after, limit)
    return [Group(row[0], row[1], row[2], unpack(row[3])) for row in rows]


async def members(tx: Tx, group: str, after: int, limit: int) -> list[int]:
    """Ids of the alerts that fire in an incident, beyond `after`."""
    return [row[0] for row in await tx.all("view_members", group, after, limit)]


def _json(ids: Collection[int] | Sequence[int]) -> str:
    return msgspec.json.encode(list(ids)).decode()
