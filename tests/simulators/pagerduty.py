"""PagerDuty's Events API v2 as its documentation has it."""

from __future__ import annotations

import json

from tests.simulators.server import Answer, Recorded, Simulator, Told

LIMIT = 512 * 1000


class PagerDuty(Simulator):
    """Knows one routing key. `incidents` holds what is open: dedup_key → state."""

    def __init__(self, routing_key: str) -> None:
        super().__init__()
        self.incidents: dict[str, str] = {}
        self._routing_key = routing_key
        self._summaries: dict[str, str] = {}
        self._told: list[Told] = []

    def answer(self, request: Recorded) -> Answer:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return Answer(404)
        if len(request.body) > LIMIT:
            return Answer(413)
        event = json.loads(request.body)
        errors = self._errors(event)
        if errors:
            body = {"status": "invalid event", "message": "Event object is invalid", "errors": errors}
            return Answer(400, json.dumps(body).encode())
        key = event.get("dedup_key") or f"generated-{len(self.requests)}"
        self._apply(event, key)
        return Answer(202, json.dumps({"status": "success", "message": "Event processed", "dedup_key": key}).encode())

    def told(self) -> list[Told]:
        return self._told

    def _errors(self, event: dict) -> list[str]:
        if event.get("routing_key") != self._routing_key:
            return ["Invalid routing key"]
        if event.get("event_action") not in {"trigger", "acknowledge", "resolve"}:
            return ["'event_action' is invalid"]
        if len(event.get("dedup_key", "")) > 255:
            return ["Length of 'dedup_key' must be within 255"]
        if event["event_action"] != "trigger":
            return [] if event.get("dedup_key") else ["'dedup_key' is missing or blank"]
        payload = event.get("payload", {})
        missing = [f"'payload.{name}' is missing or blank" for name in ("summary", "source") if not payload.get(name)]
        if len(payload.get("summary", "")) > 1024:
            missing.append("'payload.summary' is too long")
        if payload.get("severity") not in {"critical", "error", "warning", "info"}:
            missing.append("'payload.severity' is invalid")
        return missing

    def _apply(self, event: dict, key: str) -> None:
        action = event["event_action"]
        if action == "trigger":
            payload = event["payload"]
            self.incidents[key] = "triggered"
            self._summaries[key] = payload["summary"]
            links = tuple(link["href"] for link in event.get("links", ()) if not link["href"].startswith("http"))
            self._told.append(Told(f"{payload['summary']} {_flat(payload.get('custom_details', {}))}", links))
        elif action == "acknowledge":
            self.incidents.update({key: "acknowledged"} if key in self.incidents else {})
            self._told.append(Told(f"acknowledged {self._summaries.get(key, '')}"))
        else:
            self.incidents.pop(key, None)
            self._told.append(Told(f"resolved {self._summaries.get(key, '')}"))


def _flat(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_flat(inner)}" for name, inner in value.items() if name != "labels")
    return str(value)
