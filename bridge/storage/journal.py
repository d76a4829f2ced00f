"""The journal of requests, the bridge's own facts, and the last good configuration files."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bridge.domain.moment import micros, moment
from bridge.storage.transaction import Tx


class Request(Struct, frozen=True):
    """A request that is accepted and not planned yet. Requests of one partition are planned in their order."""

    id: int
    source: str
    received_at: datetime
    digest: str
    body: bytes
    attempts: int
    partition: int = 0


async def add(
    tx: Tx,
    source: str,
    now: datetime,
    digest: str,
    body: bytes,
    generation: str,
    *,
    planned: bool,
    partition: int = 0,
) -> int:
    """Keep a request; `planned` if the same transaction plans it. Requests of one `partition` are planned in order."""
    state = "planned" if planned else "pending"
    return await tx.insert("request_add", source, micros(now), digest, body, generation, state, partition)


async def pending(tx: Tx, after: int, limit: int) -> list[Request]:
    """Requests to be planned, oldest first."""
    return [
        Request(row[0], row[1], moment(row[2]), row[3], row[4], row[5])
        for row in await tx.all("requests_pending", after, limit)
    ]


async def pending_count(tx: Tx) -> int:
    row = await tx.one("requests_pending_count")
    return int(row[0]) if row else 0


async def planned(tx: Tx, request: int) -> bool:
    """Whether it was still pending: whoever marks it plans it."""
    return await tx.run("request_planned", request) > 0


async def failed(tx: Tx, request: int, most: int) -> bool:
    """Count a failure to plan; True when it was the last allowed one and the request is put aside."""
    row = await tx.one("request_failed", most, request)
    return row is not None and row[0] == "poisoned"


async def fact(tx: Tx, name: str) -> str | None:
    row = await tx.one("meta_get", name)
    return None if row is None else str(row[0])


async def set_fact(tx: Tx, name: str, value: str) -> None:
    await tx.run("meta_set", name, value)


async def good_files(tx: Tx) -> dict[str, str]:
    return {row[0]: row[1] for row in await tx.all("good_files")}


async def keep_good_files(tx: Tx, texts: Mapping[str, str], now: datetime) -> None:
    await tx.many("good_file_set", [(path, text, micros(now)) for path, text in texts.items()])
