"""Alertmanager's API v2, put together for one running bridge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bridge import __version__
from bridge.domain.clock import Clock
from bridge.engine.alertmanager_status import AlertmanagerStatus
from bridge.engine.alertmanager_views import AlertmanagerViews
from bridge.http.alertmanager_v2 import AlertmanagerV2
from bridge.http.alertmanager_v2_alerts import AlertsApi
from bridge.http.alertmanager_v2_silences import SilencesApi
from bridge.http.body import BodyReader
from bridge.http.gate import Gate

if TYPE_CHECKING:
    from bridge.app.bridge import Bridge


def alertmanager_api(
    bridge: Bridge, gate: Gate, reader: BodyReader, clock: Clock, *, client_certificates: bool
) -> AlertmanagerV2:
    """The API over the bridge's engine. The bridge counts as started now."""
    transactions, membership = bridge.transactions, bridge.membership
    about = AlertmanagerStatus(
        transactions,
        clock.now(),
        __version__,
        transactions.owner,
        None if membership is None else membership.present,
    )
    alerts = AlertsApi(
        views=AlertmanagerViews(transactions, lambda: bridge.silences.snapshot),
        intake=bridge.intake,
        reader=reader,
        metrics=bridge.metrics,
        clock=clock,
        resolve_timeout=lambda: bridge.config.resolve_timeout,
        client_certificates=client_certificates,
    )
    return AlertmanagerV2(about, alerts, SilencesApi(bridge.silences, reader, gate, clock), gate)
