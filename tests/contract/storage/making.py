"""Rows of every kind, for the contract's tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from bridge.domain.alert import Alert, Status
from bridge.domain.episode import Episode
from bridge.domain.message import Reason
from bridge.storage import alerts, deliveries, incidents
from bridge.storage.alerts import KnownAlert
from bridge.storage.database import Database
from bridge.storage.deliveries import Claimed, Live
from bridge.storage.incidents import Incident
from bridge.storage.transaction import Tx
from tests.contract.storage.units import NOW

T = TypeVar("T")
MINUTE = timedelta(minutes=1)


async def do(database: Database, act: Callable[..., Awaitable[T]], *values: Any, **named: Any) -> T:
    """One act of a storage module, in a transaction of its own."""
    return await database.write(lambda tx: act(tx, *values, **named))


async def look(database: Database, act: Callable[..., Awaitable[T]], *values: Any, **named: Any) -> T:
    """The same, on a snapshot."""
    return await database.read(lambda tx: act(tx, *values, **named))


def alert(name: str = "a", status: Status = Status.FIRING, **fields: Any) -> Alert:
    values: dict[str, Any] = {
        "source": "prometheus", "org": "", "fingerprint": name, "status": status, "labels": {"alertname": name},
        "annotations": {"summary": f"{name} is firing"}, "starts_at": NOW, "ends_at": None,
        "starts_text": "2026-03-01T12:00:00.000000001Z",
    }  # fmt: skip
    return Alert(**{**values, **fields})


async def known(tx: Tx, of: Alert, number: int = 1, added: dict[str, str] | None = None) -> KnownAlert:
    """Keep a new alert as an episode of it, and give it as it is known from now on."""
    episode = Episode(number, of.status, of.starts_at, of.ends_at)
    await alerts.put(tx, 0, of, episode, added or {}, {}, NOW)
    found = await alerts.known(tx, of.key)
    assert found is not None
    return found


def incident(name: str = "i1", state: str = "open", group: str = "g", opened_at: datetime = NOW) -> Incident:
    return Incident(
        name, "prometheus", "route", "team", group, {"alertname": "a"}, {"severity": "page"}, state, 1, "page",
        opened_at, opened_at,
    )  # fmt: skip


async def opened(tx: Tx, name: str = "i1", *members: Alert) -> list[KnownAlert]:
    """An incident with new alerts in it."""
    await incidents.add(tx, incident(name))
    joined = []
    for member in members:
        joined.append(await known(tx, member))
        await incidents.join(tx, name, joined[-1], member)
    return joined


async def planned(
    tx: Tx, channel: str = "chat", incident: str = "i1", due_at: datetime = NOW, reason: Reason = Reason.OPENED
) -> Live:
    return await deliveries.add(tx, incident, channel, "team", reason, "a note", NOW, due_at)


async def claimed(tx: Tx, delivery: int) -> Claimed:
    found = await deliveries.claim(tx, delivery)
    assert found is not None
    return found
