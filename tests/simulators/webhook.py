"""A receiver written for Alertmanager's payload that also checks Standard Webhooks signatures."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

from tests.simulators.server import Answer, Recorded, Simulator, Told


class WebhookReceiver(Simulator):
    """`key` is the raw signing key; without one nothing is checked."""

    def __init__(self, key: bytes = b"") -> None:
        super().__init__()
        self._key = key
        self._told: list[Told] = []

    def answer(self, request: Recorded) -> Answer:
        if self._key and not self._genuine(request):
            return Answer(401)
        try:
            payload = json.loads(request.body)
            names = [alert["labels"]["alertname"] for alert in payload["alerts"]]
            statuses = {alert["status"] for alert in payload["alerts"]}
        except (ValueError, KeyError, TypeError):
            return Answer(400)
        if payload["version"] != "4" or not statuses <= {"firing", "resolved"}:
            return Answer(400)
        self._told.append(Told(f"{payload['status']} {' '.join(names)}"))
        return Answer(200)

    def told(self) -> list[Told]:
        return self._told

    def _genuine(self, request: Recorded) -> bool:
        signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
        expected = base64.b64encode(hmac.new(self._key, signed, hashlib.sha256).digest()).decode()
        versions = [entry.partition(",") for entry in request.headers["webhook-signature"].split(" ")]
        return any(version == "v1" and hmac.compare_digest(given, expected) for version, _, given in versions)
