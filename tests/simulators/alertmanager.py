"""The part of Alertmanager's API v2 that mirroring uses: silences are made, listed and ended, alerts listed.

As Alertmanager does it: a silence that is edited once it is in force is ended, and another takes its place.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bridge.routing.matchers import match_all, parse_matcher
from tests.simulators.server import Answer, Recorded, Simulator


class UpstreamAlertmanager(Simulator):
    """`silences` by id, as they are listed. `alerts` are the labels of what fires, by fingerprint."""

    def __init__(self) -> None:
        super().__init__()
        self.silences: dict[str, dict[str, Any]] = {}
        self.alerts: dict[str, dict[str, str]] = {}

    def active(self) -> list[dict[str, Any]]:
        return [one for one in self.silences.values() if one["status"]["state"] == "active"]

    def answer(self, request: Recorded) -> Answer:
        path = urlsplit(request.path)
        if path.path == "/api/v2/silences":
            return (
                self._put(json.loads(request.body)) if request.method == "POST" else _json(list(self.silences.values()))
            )
        if path.path == "/api/v2/alerts":
            matchers = [parse_matcher(value) for name, value in parse_qsl(path.query) if name == "filter"]
            there = [name for name, labels in self.alerts.items() if match_all(matchers, labels)]
            return _json([{"fingerprint": name} for name in there])
        known = self.silences.get(path.path.removeprefix("/api/v2/silence/"))
        if request.method != "DELETE" or known is None:
            return Answer(404)
        known["status"] = {"state": "expired"}
        return Answer(200)

    def _put(self, posted: dict[str, Any]) -> Answer:
        edited = posted.pop("id", "")
        if edited and edited not in self.silences:
            return Answer(404)
        if edited:
            self.silences[edited]["status"] = {"state": "expired"}
        made = f"silence-{len(self.silences) + 1}"
        self.silences[made] = {**posted, "id": made, "status": {"state": "active"}}
        return _json({"silenceID": made})


def _json(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), {"Content-Type": "application/json"})
