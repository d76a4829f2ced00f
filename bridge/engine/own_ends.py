"""Until when a firing alert holds if nobody says another word of it."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from bridge.domain.alert import Alert, Status, Webhook
from bridge.domain.merge import Span, merge
from bridge.engine.generation import Generation
from bridge.storage.alerts import KnownAlert

_GRAFANAS_TEST = timedelta(hours=1)


def with_end(generation: Generation, request: Webhook, alert: Alert, now: datetime) -> Alert:
    """A firing alert with the time at which it ends by itself, if its source has any."""
    if alert.status is not Status.FIRING or alert.expires_at is not None:
        return alert
    settings = generation.config.sources.get(alert.source)
    span = settings.stale_after if settings else None
    if request.format == "grafana" and request.group_key and not request.group_key.startswith("{"):
        span = _GRAFANAS_TEST  # a contact point's test has no group, and no resolve ever follows it
    return alert if span is None else replace(alert, expires_at=now + span, timeout=True)


def renewed(alert: Alert, known: KnownAlert, now: datetime) -> Alert:
    """A firing alert that is reported again, with the start and the end that hold after both reports."""
    if alert.expires_at is None or known.expires_at is None:
        return alert
    older = Span(known.episode.starts_at, known.expires_at, known.timeout)
    merged = merge(older, Span(alert.starts_at, alert.expires_at, alert.timeout), now)
    return replace(alert, starts_at=merged.starts_at, expires_at=merged.ends_at, timeout=merged.timeout)
