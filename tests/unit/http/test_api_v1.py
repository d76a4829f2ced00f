"""The API over a whole bridge: shapes, states, and that `/openapi.json` tells the truth."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import Client, client, notification, whole_bridge

TOKENS = """
access:
  tokens:
    - {name: grafana-ui, roles: [viewer], token: "env:VIEWER"}
    - {name: alice, roles: [responder], token: "env:RESPONDER"}
    - {name: root, roles: [admin], token: "env:ADMIN"}
"""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


@pytest.fixture
async def api(bridge: Bridge) -> AsyncIterator[Client]:
    async with client(bridge) as asking:
        yield asking


async def fire(api: Client, name: str, **labels: str) -> str:
    """The new incident's id."""
    status, _ = await api.ask("POST", "/webhook", body=notification(name, **labels))
    assert status == 200
    found = await api.get("/api/v1/incidents?limit=1")
    return str(found["incidents"][0]["id"])


async def dead_delivery(api: Client, incident: str) -> dict[str, Any]:
    """The incident's delivery, once it is dead."""
    for _ in range(100):
        found = await api.get(f"/api/v1/deliveries?state=dead&incident={incident}")
        if found["deliveries"]:
            return dict(found["deliveries"][0])
        await asyncio.sleep(0.05)
    raise AssertionError("the delivery did not die")


def check(document: Any, path: str, method: str, answer: Any, status: str = "200") -> None:
    """The answer is as the document says."""
    content = document["paths"][path][method]["responses"][status]["content"]
    (media,) = content.values()
    schema = {**media["schema"], "components": document["components"]}
    jsonschema.Draft202012Validator(schema).validate(answer)


async def test_every_served_route_is_in_the_document_and_the_other_way_round(bridge: Bridge, api: Client) -> None:
    document = await api.get("/openapi.json")
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    assert bridge.front is not None
    router = bridge.front.main.application.router
    served = {(route.method, route.resource.canonical) for route in router.routes() if route.resource is not None}
    assert {one for one in served if one[0] not in {"HEAD", "*"}} == described


async def test_what_the_document_says_of_problems_is_a_valid_schema(api: Client) -> None:
    document = await api.get("/openapi.json")
    assert document["openapi"].startswith("3.1")
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"\w+", name)


async def test_answers_are_as_the_document_says(api: Client) -> None:
    document = await api.get("/openapi.json")
    incident = await fire(api, "DiskFull", severity="critical")
    delivery = await dead_delivery(api, incident)
    one = "/api/v1/incidents/{incident}"
    check(document, "/api/v1/incidents", "get", await api.get("/api/v1/incidents"))
    check(document, one, "get", await api.get(f"/api/v1/incidents/{incident}"))
    check(document, "/api/v1/deliveries", "get", await api.get("/api/v1/deliveries"))
    check(document, "/-/ready", "get", await api.get("/-/ready"))
    for act in ("acknowledge", "unacknowledge", "resolve"):
        status, answer = await api.ask("POST", f"/api/v1/incidents/{incident}/{act}", body={"by": "alice"})
        assert status == 200
        check(document, f"{one}/{act}", "post", answer)
    status, answer = await api.ask("POST", f"/api/v1/deliveries/{delivery['id']}/retry", body={"by": "alice"})
    assert status == 200
    check(document, "/api/v1/deliveries/{delivery}/retry", "post", answer)
    status, answer = await api.ask("GET", "/api/v1/incidents/none")
    assert status == 404
    check(document, one, "get", answer, "404")


async def test_a_summary_has_the_fields_that_were_promised(api: Client) -> None:
    incident = await fire(api, "DiskFull", severity="critical")
    (summary,) = (await api.get("/api/v1/incidents"))["incidents"]
    assert summary["opened_at"].endswith("Z")
    del summary["opened_at"]
    assert summary == {
        "id": incident,
        "state": "open",
        "source": "default",
        "route": "nowhere",
        "receiver": "nowhere",
        "group_labels": {"alertname": "DiskFull"},
        "labels": {"alertname": "DiskFull", "severity": "critical"},
        "severity": "critical",
        "acknowledged_by": None,
        "resolved_at": None,
        "alerts": {"firing": 1, "resolved": 0},
        "snoozed_until": None,
        "owner": None,
    }


async def test_incidents_are_filtered_and_paged(api: Client) -> None:
    for number in range(5):
        await fire(api, f"Alert{number}", team="web" if number % 2 else "db")
    first = await api.get("/api/v1/incidents?limit=2")
    second = await api.get(f"/api/v1/incidents?limit=2&cursor={first['next']}")
    third = await api.get(f"/api/v1/incidents?limit=2&cursor={second['next']}")
    names = [one["labels"]["alertname"] for page in (first, second, third) for one in page["incidents"]]
    assert names == ["Alert4", "Alert3", "Alert2", "Alert1", "Alert0"]
    assert third["next"] is None
    web = await api.get('/api/v1/incidents?q={team="web"}')
    assert [one["labels"]["alertname"] for one in web["incidents"]] == ["Alert3", "Alert1"]
    text = await api.get("/api/v1/incidents?q=alert4")
    assert len(text["incidents"]) == 1
    assert (await api.get("/api/v1/incidents?state=resolved&state=snoozed"))["incidents"] == []
    assert len((await api.get("/api/v1/incidents?state=resolved&state=open"))["incidents"]) == 5


@pytest.mark.parametrize(
    "query",
    [
        "incidents?limit=0",
        "incidents?limit=1001",
        "incidents?limit=9999999999999999999999",
        "incidents?limit=ten",
        "incidents?state=Open",
        "incidents?cursor=%00",
        "deliveries?cursor=x",
        "deliveries?cursor=99999999999999999999999",
        "deliveries?state=gone",
        "audit?since=-1",
        "audit?kind=acknowleged",
    ],
)
async def test_a_query_that_makes_no_sense_is_400(api: Client, query: str) -> None:
    status, problem = await api.ask("GET", f"/api/v1/{query}")
    assert status == 400
    assert problem["title"] == "Bad Request"


async def test_the_first_to_acknowledge_wins_and_the_second_hears_who(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    path = f"/api/v1/incidents/{incident}/acknowledge"
    status, detail = await api.ask("POST", path, body={"by": "alice"})
    assert (status, detail["incident"]["state"], detail["note"]) == (200, "acknowledged", "")
    status, detail = await api.ask("POST", path, body={"by": "alice"})
    assert status == 200
    assert detail["note"]
    status, problem = await api.ask("POST", path, body={"by": "bob"})
    assert (status, problem["acknowledged_by"]) == (409, "alice")


@pytest.mark.parametrize(
    "body", [None, {}, {"by": ""}, {"by": " "}, {"by": 7}, {"by": "x" * 201}, {"by": "a\nb"}, ["alice"]]
)
async def test_who_acts_must_be_said(api: Client, body: object) -> None:
    incident = await fire(api, "DiskFull")
    status, _ = await api.ask("POST", f"/api/v1/incidents/{incident}/acknowledge", body=body)
    assert status == 400
    assert (await api.get("/api/v1/incidents"))["incidents"][0]["state"] == "open"


@pytest.mark.parametrize("act", ["acknowledge", "unacknowledge", "resolve"])
async def test_an_incident_that_is_not_there_is_404(api: Client, act: str) -> None:
    status, problem = await api.ask("POST", f"/api/v1/incidents/nothing%2Fhere/{act}", body={"by": "alice"})
    assert status == 404
    assert "nothing" not in json.dumps(problem)


async def test_only_dead_and_parked_deliveries_are_retried(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    delivery = await dead_delivery(api, incident)
    path = f"/api/v1/deliveries/{delivery['id']}/retry"
    assert (await api.ask("POST", path, body={"by": "alice"}))[0] == 200
    await dead_delivery(api, incident)
    assert (await api.ask("POST", f"/api/v1/incidents/{incident}/resolve", body={"by": "alice"}))[0] == 200
    assert (await api.ask("POST", "/api/v1/deliveries/999/retry", body={"by": "alice"}))[0] == 404
    assert (await api.ask("POST", "/api/v1/deliveries/x/retry", body={"by": "alice"}))[0] == 404


async def test_the_audit_is_one_record_a_line(api: Client) -> None:
    incident = await fire(api, "DiskFull")
    records = [json.loads(line) for line in (await api.get("/api/v1/audit")).splitlines()]
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert {"started", "received", "opened"} <= {record["kind"] for record in records}
    opened = [json.loads(line) for line in (await api.get("/api/v1/audit?kind=opened")).splitlines()]
    assert [record["incident"] for record in opened] == [incident]
    assert await api.get(f"/api/v1/audit?since={records[-1]['seq'] + 1000}") == b""


async def test_each_role_may_do_its_own_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWER", "RESPONDER", "ADMIN"):
        monkeypatch.setenv(name, f"{name.lower()}-token")
    sources = 'sources: {default: {auth: {bearer: "env:VIEWER"}}}\n'
    async with whole_bridge(tmp_path, TOKENS + sources) as bridge, client(bridge) as api:
        await api.ask("POST", "/webhook", body=notification("DiskFull"), token="viewer-token")
        found = await api.get("/api/v1/incidents", token="viewer-token")
        incident = found["incidents"][0]["id"]
        act = f"/api/v1/incidents/{incident}/acknowledge"
        wanted = {
            ("GET", "/api/v1/incidents"): (401, 200, 200, 200),
            ("GET", "/metrics"): (401, 200, 200, 200),
            ("GET", "/openapi.json"): (401, 200, 200, 200),
            ("POST", act): (401, 403, 200, 409),
            ("GET", "/api/v1/audit"): (401, 403, 403, 200),
            ("POST", "/api/v1/deliveries/999/retry"): (401, 403, 403, 404),
            ("POST", "/-/reload"): (401, 403, 403, 200),
            ("GET", "/-/healthy"): (200, 200, 200, 200),
            ("GET", "/-/ready"): (200, 200, 200, 200),
        }
        tokens = ("", "viewer-token", "responder-token", "admin-token")
        for (method, path), statuses in wanted.items():
            got = tuple([(await api.ask(method, path, token=token))[0] for token in tokens])
            assert got == statuses, (method, path)
        detail = await api.get(f"/api/v1/incidents/{incident}", token="viewer-token")
        acknowledged = [entry["actor"] for entry in detail["timeline"] if entry["kind"] == "acknowledged"]
        assert acknowledged == ["alice"], "the token's name counts, whatever the body says"


async def test_nobody_acts_under_the_name_of_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWER", "RESPONDER", "ADMIN"):
        monkeypatch.setenv(name, f"{name.lower()}-token")
    async with whole_bridge(tmp_path, TOKENS + "  anonymous: [ingest, responder]\n") as bridge, client(bridge) as api:
        incident = await fire(api, "DiskFull")
        path = f"/api/v1/incidents/{incident}/acknowledge"
        assert (await api.ask("POST", path, body={"by": "alice"}))[0] == 403
        assert (await api.ask("POST", path, body={"by": "bob"}))[0] == 200
