"""Acting on incidents over the API, by a whole bridge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import Client, client, whole_bridge
from tests.unit.http.test_api_v1 import check, fire


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


@pytest.fixture
async def api(bridge: Bridge) -> AsyncIterator[Client]:
    async with client(bridge) as asking:
        yield asking


async def test_an_incident_is_snoozed_for_a_time(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    path = f"/api/v1/incidents/{incident}/snooze"
    status, detail = await api.ask("POST", path, body={"by": "alice", "for": "30m", "via": "cli"})
    assert (status, detail["incident"]["state"], detail["incident"]["acknowledged_by"]) == (200, "snoozed", "alice")
    until = datetime.fromisoformat(detail["incident"]["snoozed_until"])
    assert timedelta(minutes=29) < until - datetime.now(UTC) < timedelta(minutes=31)
    check(await api.get("/openapi.json"), "/api/v1/incidents/{incident}/snooze", "post", detail)
    (entry,) = [one for one in detail["timeline"] if one["kind"] == "snoozed"]
    assert entry["actor"] == "alice"
    assert entry["detail"].startswith('{"via":"cli"')
    status, problem = await api.ask("POST", path, body={"by": "bob", "for": "1h"})
    assert (status, problem["acknowledged_by"]) == (409, "alice")
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    status, detail = await api.ask("POST", path, body={"by": "alice", "until": later})
    assert (status, detail["incident"]["snoozed_until"]) == (200, later.replace("+00:00", "Z"))
    assert len((await api.get("/api/v1/incidents?state=snoozed"))["incidents"]) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"for": "30m", "until": "2036-01-31T12:00:00Z"},
        {"for": "0"},
        {"for": "-5m"},
        {"for": "soon"},
        {"for": "367d"},
        {"for": "9999y"},
        {"for": 30},
        {"until": "2020-01-31T12:00:00Z"},
        {"until": "2036-01-31T12:00:00"},
        {"until": "tomorrow"},
        {"for": "30m", "untli": "x"},
        {"for": "30m", "via": "magic"},
    ],
)
async def test_a_snooze_that_makes_no_sense_is_422(api: Client, fields: dict[str, object]) -> None:
    incident = await fire(api, "DiskFull")
    status, _ = await api.ask("POST", f"/api/v1/incidents/{incident}/snooze", body={"by": "alice", **fields})
    assert status == 422
    assert (await api.get("/api/v1/incidents"))["incidents"][0]["state"] == "open"


async def test_people_work_together_on_an_incident(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    document = await api.get("/openapi.json")
    bodies = {
        "comment": {"text": " the disk is full\nagain "},
        "assign": {"to": "bob"},
        "responders": {"who": "nowhere"},
        "escalate": {},
    }
    for act, body in bodies.items():
        status, detail = await api.ask(
            "POST", f"/api/v1/incidents/{incident}/{act}", body={"by": "alice", "via": "cli", **body}
        )
        assert status == 200
        check(document, f"/api/v1/incidents/{{incident}}/{act}", "post", detail)
    assert detail["note"] == "there is no step left to take"
    assert detail["incident"]["owner"] == "bob"
    assert [(one["text"], one["by"], one["via"]) for one in detail["comments"]] == [
        ("the disk is full\nagain", "alice", "cli")
    ]
    assert [one["who"] for one in detail["responders"]] == ["nowhere"]
    check(document, "/api/v1/incidents/{incident}", "get", await api.get(f"/api/v1/incidents/{incident}"))


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("comment", {}),
        ("comment", {"text": ""}),
        ("comment", {"text": " \n"}),
        ("comment", {"text": "a\0b"}),
        ("comment", {"text": "x" * 4001}),
        ("assign", {}),
        ("assign", {"to": " "}),
        ("assign", {"to": "a\nb"}),
        ("assign", {"to": "x" * 201}),
        ("responders", {"who": 7}),
        ("responders", {"whom": "nowhere"}),
    ],
)
async def test_what_makes_no_sense_is_422(api: Client, act: str, fields: dict[str, object]) -> None:
    incident = await fire(api, "DiskFull")
    status, _ = await api.ask("POST", f"/api/v1/incidents/{incident}/{act}", body={"by": "alice", **fields})
    assert status == 422


async def test_nobody_is_called_who_is_not_there(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    path = f"/api/v1/incidents/{incident}/responders"
    assert (await api.ask("POST", path, body={"by": "alice", "who": "nobody"}))[0] == 404


@pytest.mark.parametrize("act", ["snooze", "comment", "assign", "responders", "escalate"])
async def test_who_acts_must_be_said_and_on_what(api: Client, act: str) -> None:
    incident = await fire(api, "DiskFull")
    bodies = {
        "snooze": {"for": "30m"},
        "comment": {"text": "x"},
        "assign": {"to": "bob"},
        "responders": {"who": "nowhere"},
    }
    body = bodies.get(act, {})
    assert (await api.ask("POST", f"/api/v1/incidents/{incident}/{act}", body=body))[0] == 400
    assert (await api.ask("POST", f"/api/v1/incidents/none/{act}", body={**body, "by": "alice"}))[0] == 404


async def test_somebody_is_paged_by_hand(api: Client) -> None:
    body = {
        "by": "alice", "title": "the shop is down", "text": "nobody\ncan pay", "severity": "critical",
        "labels": {"team": "web", "empty": ""}, "receiver": "nowhere", "key": "4711",
    }  # fmt: skip
    status, detail = await api.ask("POST", "/api/v1/incidents", body=body)
    assert status == 200
    check(await api.get("/openapi.json"), "/api/v1/incidents", "post", detail)
    one = detail["incident"]
    assert (one["source"], one["receiver"], one["state"]) == ("manual", "nowhere", "open")
    assert one["labels"] == {"alertname": "the shop is down", "team": "web", "severity": "critical"}
    again = await api.ask("POST", "/api/v1/incidents", body=body)
    assert (again[0], again[1]["incident"]["id"], again[1]["note"]) == (200, one["id"], "this was paged already")
    assert (await api.ask("POST", "/api/v1/incidents", body={**body, "receiver": "nobody", "key": ""}))[0] == 404
    assert (await api.ask("POST", "/api/v1/incidents", body={**body, "by": ""}))[0] == 400


@pytest.mark.parametrize(
    "fields",
    [
        {"title": ""},
        {"title": " "},
        {"title": "a\nb"},
        {"title": "x" * 201},
        {"text": "a\0b"},
        {"labels": {"a\0": "b"}},
        {"labels": {"": "b"}},
        {"labels": {str(number): "x" for number in range(257)}},
        {"labels": {"a": 1}},
        {"severity": "a\u202eb"},
        {"extra": True},
    ],
)
async def test_a_page_that_makes_no_sense_is_422(api: Client, fields: dict[str, object]) -> None:
    body = {"by": "alice", "title": "down", **fields}
    assert (await api.ask("POST", "/api/v1/incidents", body=body))[0] == 422
    assert (await api.get("/api/v1/incidents"))["incidents"] == []
