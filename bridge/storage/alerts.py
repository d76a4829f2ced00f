"""What is known of each alert: the reducer's state, and its last report."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from bridge.domain.alert import Alert, Status
from bridge.domain.episode import Episode
from bridge.domain.moment import maybe_micros, maybe_moment, micros, moment
from bridge.storage.text import pack, unpack
from bridge.storage.transaction import Expected, Tx


class KnownAlert(Struct, frozen=True):
    """`added_*` are what hooks before routing added, fixed at the episode's start. `expires_at`, `timeout` as in `Alert`."""

    id: int
    episode: Episode
    added_labels: Mapping[str, str]
    added_annotations: Mapping[str, str]
    expires_at: datetime | None = None
    timeout: bool = False


def expected(key: tuple[str, str, str]) -> Expected:
    """The look that `known` makes."""
    return "alert_get", key


async def known(tx: Tx, key: tuple[str, str, str]) -> KnownAlert | None:
    """The state of (source, org, fingerprint), None if it was never seen."""
    row = await tx.one("alert_get", *key)
    if row is None:
        return None
    episode = Episode(row[1], Status(row[2]), moment(row[3]), maybe_moment(row[4]))
    return KnownAlert(row[0], episode, unpack(row[5]), unpack(row[6]), maybe_moment(row[7]), bool(row[8]))


async def put(
    tx: Tx,
    known_id: int,
    alert: Alert,
    episode: Episode,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    now: datetime,
) -> int:
    """Keep a transition; `known_id` 0 adds the alert. Gives its id. `labels`, `annotations`: what hooks added."""
    values = (
        episode.number, episode.status.value, micros(episode.starts_at), maybe_micros(episode.ends_at), micros(now),
        alert.starts_text, alert.ends_text, pack(alert.labels), pack(alert.annotations), pack(labels), pack(annotations),
        alert.generator_url, alert.receiver, alert.extra, maybe_micros(alert.expires_at), int(alert.timeout),
    )  # fmt: skip
    if known_id:
        await tx.run("alert_set", *values, known_id)
        return known_id
    return await tx.insert("alert_add", alert.source, alert.org, alert.fingerprint, *values)


async def seen(tx: Tx, known_id: int, alert: Alert, episode: Episode, now: datetime) -> None:
    """Keep a report that is no news: when, and the annotations of the day."""
    await tx.run(
        "alert_seen", micros(episode.starts_at), maybe_micros(episode.ends_at), micros(now), pack(alert.annotations),
        alert.generator_url, alert.extra, maybe_micros(alert.expires_at), int(alert.timeout), known_id,
    )  # fmt: skip


async def expired(tx: Tx, before: datetime, limit: int) -> list[Alert]:
    """Firing alerts that end by themselves at `before` or earlier, the earliest first."""
    return [
        Alert(
            source=row[1], org=row[2], fingerprint=row[3], status=Status.FIRING, labels=unpack(row[4]),
            annotations=unpack(row[5]), starts_at=moment(row[6]), ends_at=None, starts_text=row[7], generator_url=row[8],
            receiver=row[9], extra=row[10], expires_at=moment(row[11]), timeout=bool(row[12]),
        )
        for row in await tx.all("alerts_expired", micros(before), limit)
    ]  # fmt: skip


async def next_expiry(tx: Tx, after: datetime) -> datetime | None:
    """The earliest end after a moment that a firing alert has by itself."""
    row = await tx.one("alerts_next_expiry", micros(after))
    return maybe_moment(row[0]) if row else None
