"""The alerts an oracle sends and finds again in what receivers get: a key, and a version that grows with every transition.

Version 2e is the firing of episode e, 2e + 1 its end. The key is the alert's name, the episode stands in its start.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec

_START = datetime(2026, 3, 1, tzinfo=UTC)
_OPEN = "0001-01-01T00:00:00Z"
_BODY = (
    '{"receiver":"r","status":"%(status)s","alerts":[{"status":"%(status)s","labels":{"alertname":"A%(key)d",'
    '"severity":"critical","team":"payments"},"annotations":{"summary":"alert %(key)d"},"startsAt":"%(start)s",'
    '"endsAt":"%(end)s","generatorURL":"","fingerprint":"%(key)016x"}],"groupLabels":{"alertname":"A%(key)d"},'
    '"commonLabels":{},"commonAnnotations":{},"externalURL":"","version":"4",'
    '"groupKey":"{}:{alertname=\\"A%(key)d\\"}","truncatedAlerts":0}'
)


class _Received(msgspec.Struct):
    labels: dict[str, str]
    status: str
    startsAt: str  # noqa: N815 - as Alertmanager writes it


class _Payload(msgspec.Struct):
    alerts: list[_Received]


_DECODER = msgspec.json.Decoder(_Payload)


def _moment(seconds: int) -> str:
    return (_START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def body_of(key: int, version: int) -> bytes:
    """Alertmanager's webhook with this one alert."""
    episode, ended = divmod(version, 2)
    start, end = _moment(4 * episode), _moment(4 * episode + 2) if ended else _OPEN
    return (_BODY % {"key": key, "status": "resolved" if ended else "firing", "start": start, "end": end}).encode()


def found_in(body: bytes) -> list[tuple[int, int]]:
    """(key, version) of each alert in what a receiver got; what is not the oracle's (notices) is left out."""
    found = []
    for alert in _DECODER.decode(body).alerts:
        name = alert.labels.get("alertname", "")
        if name[:1] == "A" and name[1:].isdecimal():
            seconds = (datetime.fromisoformat(alert.startsAt) - _START).total_seconds()
            found.append((int(name[1:]), 2 * round(seconds / 4) + (alert.status == "resolved")))
    return found
