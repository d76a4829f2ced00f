"""Webhook bodies as Alertmanager and Grafana send them, changed in one place each, and what reading them gave."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from bridge.domain.alert import Alert, Webhook
from bridge.domain.errors import IngestError
from bridge.ingest.webhook import parse

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
FIRING = {
    "status": "firing",
    "labels": {"alertname": "HighCPU", "instance": "web-1:9100"},
    "annotations": {"summary": "hot"},
    "startsAt": "2026-03-01T10:00:00.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus.example/graph",
    "fingerprint": "cc6e49118c0ea32b",
}
ENVELOPE = {
    "receiver": "web",
    "status": "firing",
    "alerts": [FIRING],
    "groupLabels": {"alertname": "HighCPU"},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager.example",
    "version": "4",
    "groupKey": '{}:{alertname="HighCPU"}',
    "truncatedAlerts": 0,
}
GRAFANA = ENVELOPE | {"version": "1", "orgId": 7, "title": "t", "state": "alerting", "message": "m"}


def body(envelope: object = ENVELOPE, **changes: object) -> bytes:
    return json.dumps({**envelope, **changes} if changes else envelope).encode()


def read(content: bytes, wanted: str = "auto") -> Webhook:
    return parse(wanted, content, "main", NOW)


def with_alert(**changes: object) -> bytes:
    alert = {**FIRING, **changes}
    return body(alerts=[{name: value for name, value in alert.items() if value is not ...}])


def alert_of(**changes: object) -> Alert:
    webhook = read(with_alert(**changes))
    assert webhook.quarantined == ()
    return webhook.alerts[0]


def problem_of(**changes: object) -> str:
    webhook = read(with_alert(**changes))
    assert webhook.alerts == ()
    return webhook.quarantined[0].problem


def refusal(content: bytes, wanted: str = "auto") -> IngestError:
    with pytest.raises(IngestError) as caught:
        read(content, wanted)
    return caught.value
