"""API v2: the shapes that Alertmanager's own document gives, and what karma and Grafana ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.unit.http.alertmanager_api import Api, alert, api_of


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(tmp_path) as asking:
        yield asking


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


TEXT, LABELS = {"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}
TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}
NAME = _object("name", name=TEXT)
TEXTS = {"type": "array", "items": TEXT}
OPENAPI: dict[str, Any] = {
    "alertStatus": _object(
        "state silencedBy inhibitedBy mutedBy", state={"enum": ["unprocessed", "active", "suppressed"]},
        silencedBy=TEXTS, inhibitedBy=TEXTS, mutedBy=TEXTS,
    ),
    "gettableAlert": _object(
        "receivers fingerprint startsAt updatedAt endsAt annotations status labels", labels=LABELS, annotations=LABELS,
        receivers={"type": "array", "items": NAME}, fingerprint={"type": "string", "pattern": "^[0-9a-f]{16}$"},
        startsAt=TIME, updatedAt=TIME, endsAt=TIME, status=_ref("alertStatus"), generatorURL=TEXT,
    ),
    "alertGroup": _object(
        "labels routeLabels receiver alerts", labels=LABELS, routeLabels=LABELS, receiver=NAME,
        alerts={"type": "array", "items": _ref("gettableAlert"), "minItems": 1},
    ),
    "matcher": _object(
        "name value isRegex isEqual", name=TEXT, value=TEXT, isRegex={"type": "boolean"}, isEqual={"type": "boolean"}
    ),
    "gettableSilence": _object(
        "id status updatedAt matchers startsAt endsAt createdBy comment", id=TEXT, updatedAt=TIME, startsAt=TIME,
        endsAt=TIME, createdBy=TEXT, comment=TEXT, annotations=LABELS,
        status=_object("state", state={"enum": ["expired", "active", "pending"]}),
        matchers={"type": "array", "items": _ref("matcher"), "minItems": 1},
    ),
    "receiver": _object("name", name=TEXT, labels=LABELS),
    "status": _object(
        "cluster versionInfo config uptime", uptime=TIME, config=_object("original", original=TEXT),
        cluster=_object(
            "status", name=TEXT, status={"enum": ["ready", "settling", "disabled"]},
            peers={"type": "array", "items": _object("name address", name=TEXT, address=TEXT)},
        ),
        versionInfo=_object(
            "version revision branch buildUser buildDate goVersion",
            **dict.fromkeys(("version", "revision", "branch", "buildUser", "buildDate", "goVersion"), TEXT),
        ),
    ),
}  # fmt: skip
"""What Alertmanager's `api/v2/openapi.yaml` (0.34) says of answers, and the form in which it prints times."""


async def test_every_answer_is_as_alertmanagers_openapi_document_says(api: Api) -> None:
    await api.post(
        {**alert("A", team="web"), "generatorURL": "http://p/", "annotations": {"x": "y"}},
        {**alert("B"), "startsAt": "2026-03-01T11:00:00.123456789+02:00"}, alert("C", team="quiet"),
    )  # fmt: skip
    await api.silence(annotations={"a": "b"})
    await api.silence(matchers=[{"name": "a", "value": "b|c", "isRegex": True, "isEqual": False}])
    for path, name, is_list in (
        ("/alerts", "gettableAlert", True), ("/alerts/groups", "alertGroup", True), ("/silences", "gettableSilence", True),
        ("/receivers", "receiver", True), ("/status", "status", False),
    ):  # fmt: skip
        found = await api.get(path)
        schema: dict[str, Any] = {"type": "array", "items": _ref(name), "minItems": 2} if is_list else _ref(name)
        jsonschema.Draft202012Validator({**schema, "$defs": OPENAPI}).validate(found)


KARMA = {"User-Agent": "karma/v0.121", "Accept": "application/json", "Accept-Encoding": "gzip"}
GRAFANA = {"User-Agent": "Grafana/12.0.0", "X-Grafana-Org-Id": "1", "Accept-Encoding": "gzip"}


async def test_what_karma_asks_is_answered(api: Api) -> None:
    """It reads the version from the metrics, then polls groups and silences; its form posts and deletes silences."""
    await api.post(alert("A"))
    assert "alertmanager_build_info{" in (await api.ask("GET", "/metrics", headers=KARMA))[1]
    assert (await api.ask("GET", "/api/v2/status", headers=KARMA))[0] == 200
    assert len((await api.ask("GET", "/api/v2/alerts/groups", headers=KARMA))[1]) == 1
    form = {
        "matchers": [{"name": "alertname", "value": "A", "isRegex": False, "isEqual": True}],
        "startsAt": "2026-03-01T12:00:00.000Z", "endsAt": "2026-03-01T13:00:00.000Z", "createdBy": "me@example.com",
        "comment": "ACK! This alert was acknowledged using karma", "id": None,
    }  # fmt: skip
    _status, made, _headers = await api.ask("POST", "/api/v2/silences", form, KARMA)
    assert [found["id"] for found in (await api.ask("GET", "/api/v2/silences", headers=KARMA))[1]] == [
        made["silenceID"]
    ]
    edit = {**form, "id": made["silenceID"], "endsAt": "2026-03-01T14:00:00.000Z"}
    assert (await api.ask("POST", "/api/v2/silences", edit, KARMA))[1] == made
    assert (await api.ask("DELETE", f"/api/v2/silence/{made['silenceID']}", headers=KARMA))[0] == 200


async def test_what_grafanas_alertmanager_data_source_asks_is_answered(api: Api) -> None:
    """Through Grafana's proxy: groups with all four flags, alerts by filter, silences, receivers, status; and its alerts."""
    await api.post({**alert("A", grafana_folder="f"), "UpdatedAt": "2026-03-01T12:00:00Z", "Timeout": True})
    flags = "silenced=true&active=true&inhibited=true&unprocessed=true"
    assert len((await api.ask("GET", f"/api/v2/alerts/groups?{flags}", headers=GRAFANA))[1]) == 1
    assert len((await api.ask("GET", f"/api/v2/alerts?{flags}&filter=alertname%3D%22A%22", headers=GRAFANA))[1]) == 1
    for path in ("silences", "receivers", "status"):
        assert (await api.ask("GET", f"/api/v2/{path}", headers=GRAFANA))[0] == 200
    form = {
        "startsAt": "2026-03-01T12:00:00.000Z", "endsAt": "2026-03-01T14:00:00.000Z", "comment": "created 2026-03-01 13:00",
        "createdBy": "admin", "matchers": [{"isEqual": True, "isRegex": False, "name": "alertname", "value": "A"}],
    }  # fmt: skip
    _status, made, _headers = await api.ask("POST", "/api/v2/silences", form, GRAFANA)
    assert (await api.ask("GET", f"/api/v2/silence/{made['silenceID']}", headers=GRAFANA))[1]["createdBy"] == "admin"
