"""The reducer: what a report of an alert means, given what is already known of it.

Keyed by (source, org, fingerprint). An episode is one firing with its end. Only a transition is news; applying the
same report twice changes nothing, in whatever order the replicas of a sender deliver.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bridge.domain.alert import Alert, Status


class Episode(Struct, frozen=True, gc=False):
    """The present or last episode. `starts_at` is the latest start reported in it; `ends_at` None while it fires."""

    number: int
    status: Status
    starts_at: datetime
    ends_at: datetime | None = None


class News(StrEnum):
    """OPENED: a new episode. RESOLVED: its end. UNSEEN: the end of an episode whose beginning never came here.

    REPEAT: still firing. DUPLICATE: an end already known. STALE: an end older than the present firing.
    LATE: a firing no newer than an end already known; only time tells whether it is stale.
    """

    OPENED = "opened"
    RESOLVED = "resolved"
    UNSEEN = "unseen"
    REPEAT = "repeat"
    DUPLICATE = "duplicate"
    STALE = "stale"
    LATE = "late"


def reduce(
    known: Episode | None, alert: Alert, now: datetime, *, confirmed: bool = False, in_order: bool = False
) -> tuple[News, Episode | None]:
    """What a report means, and the episode after it (None: nothing is known still).

    `confirmed` says that a late firing has waited long enough to be believed. `in_order` says that the last report of an
    alert counts whatever its times are, as in Alertmanager's API.
    """
    if in_order and known is not None:
        return _in_order(known, alert, now)
    if alert.status is Status.FIRING:
        return _firing(known, alert, confirmed=confirmed)
    # No end lies in the future, but our clock may be the one that is wrong: an end never lies before its own start.
    return _resolved(known, alert, max(alert.starts_at, min(alert.ends_at or now, now)))


def _firing(known: Episode | None, alert: Alert, *, confirmed: bool) -> tuple[News, Episode | None]:
    if known is None:
        return News.OPENED, Episode(1, Status.FIRING, alert.starts_at)
    if known.ends_at is None:
        # The replicas of one Prometheus disagree on startsAt: whatever overlaps is one episode. The latest start is
        # kept, so that the late end of an earlier episode is recognised.
        return News.REPEAT, Episode(known.number, Status.FIRING, max(known.starts_at, alert.starts_at))
    if alert.starts_at > known.ends_at or confirmed:
        return News.OPENED, Episode(known.number + 1, Status.FIRING, alert.starts_at)
    return News.LATE, known


def _resolved(known: Episode | None, alert: Alert, ended: datetime) -> tuple[News, Episode | None]:
    if known is None:
        return News.UNSEEN, Episode(1, Status.RESOLVED, alert.starts_at, ended)
    if known.ends_at is None:
        if ended < known.starts_at:
            return News.STALE, known
        return News.RESOLVED, Episode(known.number, Status.RESOLVED, known.starts_at, ended)
    if alert.starts_at > known.ends_at:
        return News.UNSEEN, Episode(known.number + 1, Status.RESOLVED, alert.starts_at, ended)
    return News.DUPLICATE, Episode(known.number, Status.RESOLVED, known.starts_at, max(known.ends_at, ended))


def _in_order(known: Episode, alert: Alert, now: datetime) -> tuple[News, Episode]:
    """The earliest start counts, and the latest end."""
    ended = max(alert.starts_at, min(alert.ends_at or now, now))
    if alert.status is Status.FIRING:
        if known.ends_at is None:
            return News.REPEAT, Episode(known.number, Status.FIRING, min(known.starts_at, alert.starts_at))
        starts_at = alert.starts_at if alert.starts_at > known.ends_at else known.starts_at
        return News.OPENED, Episode(known.number + 1, Status.FIRING, starts_at)
    if known.ends_at is None:
        starts_at = min(known.starts_at, alert.starts_at)
        return News.RESOLVED, Episode(known.number, Status.RESOLVED, starts_at, max(ended, starts_at))
    if alert.starts_at > known.ends_at:
        return News.UNSEEN, Episode(known.number + 1, Status.RESOLVED, alert.starts_at, ended)
    return News.DUPLICATE, Episode(known.number, Status.RESOLVED, known.starts_at, max(known.ends_at, ended))
