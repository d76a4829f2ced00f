"""API v2: what fires, in which groups, and how it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bridge.domain.errors import StorageBusy
from bridge.http import alertmanager_v2
from tests.unit.http.alertmanager_api import GOOD, Api, alert, api_of
from tests.unit.http.real import notification


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(tmp_path) as asking:
        yield asking


async def test_an_alert_is_shown_with_its_receivers_and_what_hooks_added(api: Api) -> None:
    await api.post(
        {**alert("A", team="web", severity="critical"), "generatorURL": "/g", "annotations": {"b": "1", "a": "2"}}
    )
    (found,) = await api.get("/alerts")
    assert found == {
        "annotations": {"a": "2", "b": "1"},
        "endsAt": "2026-03-01T12:05:00.000Z",
        "fingerprint": found["fingerprint"],
        "generatorURL": "/g",
        "labels": {"alertname": "A", "region": "eu", "severity": "critical", "team": "web"},
        "receivers": [{"name": "web.team"}, {"name": "pager"}],
        "startsAt": "2026-03-01T12:00:00.000Z",
        "status": {"inhibitedBy": [], "mutedBy": [], "silencedBy": [], "state": "active"},
        "updatedAt": "2026-03-01T12:00:00.000Z",
    }


async def test_what_ended_is_not_shown_and_neither_is_what_is_past_its_end(api: Api) -> None:
    await api.post(alert("A"), {**alert("B"), "startsAt": "2026-03-01T11:00:00Z", "endsAt": "2026-03-01T12:01:00Z"})
    await api.post({**alert("A"), "endsAt": "2026-03-01T12:00:00Z"})
    assert await api.names() == ["B"]
    api.clock.turn(minutes=2)
    assert await api.get("/alerts") == []
    assert await api.get("/alerts/groups") == []


async def test_an_alert_that_came_by_webhook_is_shown_as_ending_in_the_resolve_timeout(api: Api) -> None:
    assert (await api.ask("POST", "/webhook", notification("A")))[0] == 200
    api.clock.turn(hours=3)
    (found,) = await api.get("/alerts")
    assert (found["startsAt"], found["endsAt"]) == ("2026-03-01T11:00:00.000Z", "2026-03-01T15:05:00.000Z")


async def test_of_two_sources_that_report_the_same_alert_the_newest_report_is_shown_once(api: Api) -> None:
    assert (await api.ask("POST", "/webhook", notification("A")))[0] == 200
    api.clock.turn(minutes=1)
    await api.post({**alert("A"), "annotations": {"from": "prometheus"}})
    (found,) = await api.get("/alerts")
    assert found["annotations"] == {"from": "prometheus"}


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["A", "B", "C"]),
        ("?filter=team%3D%22web%22", ["A"]),
        ("?filter=team%3D", ["B", "C"]),
        ("?filter=team%21%3D", ["A"]),
        ("?filter=alertname%3D~%22A%7CB%22&filter=severity%3Dwarning", ["B"]),
        ("?filter=region%3Deu", ["A", "B", "C"]),
        ("?receiver=web.%2A", ["A"]),
        ("?receiver=web", []),
        ("?receiver=", ["A", "B", "C"]),
        ("?receiver_matchers=name%21%3Dout", ["A"]),
        ("?active=false", ["C"]),
        ("?active=banana", ["C"]),
        ("?active=", ["A", "B", "C"]),
        ("?active=YES&silenced=0", ["A", "B"]),
        ("?silenced=false", ["A", "B"]),
        ("?unprocessed=false&unknown=x", ["A", "B", "C"]),
    ],
)
async def test_filters_are_taken_as_alertmanager_takes_them(api: Api, query: str, names: list[str]) -> None:
    await api.post(alert("A", team="web"), alert("B", severity="warning"), alert("C"))
    await api.silence(matchers=[{"name": "alertname", "value": "C", "isRegex": False}])
    assert await api.names(query) == names
    groups = await api.get(f"/alerts/groups{query}")
    assert sorted(found["labels"]["alertname"] for found in groups) == names


async def test_inhibited_alerts_name_who_inhibits_them_and_both_sides_do_not_inhibit_themselves(api: Api) -> None:
    await api.post(
        alert("Source", severity="critical"), alert("Target", severity="warning", cluster=""),
        alert("Elsewhere", severity="warning", cluster="b"),
    )  # fmt: skip
    found = {one["labels"]["alertname"]: one for one in await api.get("/alerts")}
    assert found["Target"]["status"]["inhibitedBy"] == [found["Source"]["fingerprint"]]
    assert found["Target"]["status"]["state"] == "suppressed"
    assert found["Source"]["status"]["inhibitedBy"] == found["Elsewhere"]["status"]["inhibitedBy"] == []
    assert await api.names("?inhibited=false") == ["Elsewhere", "Source"]
    await api.post({**alert("Source", severity="critical"), "endsAt": "2026-03-01T12:00:00Z"})
    assert await api.names("?inhibited=false") == ["Elsewhere", "Target"]


async def test_groups_are_those_of_the_routes_and_say_what_mutes_them(api: Api) -> None:
    await api.post(
        alert("A", team="web", severity="critical"), alert("B", team="quiet"), alert("B", team="quiet", x="2")
    )
    groups = await api.get("/alerts/groups")
    assert [(found["labels"], found["receiver"]["name"], len(found["alerts"])) for found in groups] == [
        ({"alertname": "A"}, "pager", 1), ({"alertname": "A"}, "web.team", 1), ({"alertname": "B"}, "pager", 2),
    ]  # fmt: skip
    statuses = {found["labels"]["alertname"]: found["alerts"][0]["status"] for found in groups}
    assert (statuses["B"]["mutedBy"], statuses["B"]["state"]) == (["always"], "suppressed")
    assert (statuses["A"]["mutedBy"], statuses["A"]["state"]) == ([], "active")
    assert len(await api.get("/alerts/groups?muted=false")) == 2
    assert all(found["status"]["mutedBy"] == [] for found in await api.get("/alerts"))
    assert [found["receiver"]["name"] for found in await api.get("/alerts/groups?receiver=web.%2A")] == ["web.team"]


async def test_bad_questions_are_answered_with_a_bare_text(api: Api) -> None:
    for path in ("/alerts", "/alerts/groups", "/silences"):
        status, found, _headers = await api.ask("GET", f"/api/v2{path}?filter=foo")
        assert (status, found) == (400, "bad matcher format: foo")
        assert (await api.ask("GET", f"/api/v2{path}?filter=%7Bfoo%3Dbar%7D"))[0] == 400
    status, found, _headers = await api.ask("GET", "/api/v2/alerts?receiver=%28")
    assert status == 400
    assert found.startswith("failed to parse receiver param: error parsing regexp: ")
    status, found, _headers = await api.ask("GET", "/api/v2/receivers?receiver_matchers=foo")
    assert (status, found) == (400, "failed to parse receiver_matchers param: bad matcher format: foo")


async def test_receivers_are_those_that_routes_may_name(api: Api) -> None:
    found = await api.get("/receivers")
    assert found == [{"name": name, "labels": {"name": name}} for name in ("web.team", "nobody", "out", "pager")]
    assert [one["name"] for one in await api.get("/receivers?receiver_matchers=name%3D~%22.%2At%22")] == ["out"]


async def test_partly_valid_alerts_are_kept_and_the_others_told_of(api: Api) -> None:
    status, found, _headers = await api.ask("POST", "/api/v2/alerts", [alert("A"), {"labels": {}}, alert("B")])
    assert (status, found) == (400, "at least one label pair required")
    assert await api.names() == ["A", "B"]
    status, found, _headers = await api.ask("POST", "/api/v2/alerts", [alert("C"), {"labels": {"a": 5}}])
    assert (status, found["code"]) == (400, 400)
    assert await api.names() == ["A", "B", "C"]
    status, found, _headers = await api.ask("POST", "/api/v2/alerts", [alert("D"), {}])
    assert (status, found) == (422, {"code": 602, "message": "1.labels in body is required"})
    assert await api.names() == ["A", "B", "C"]


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b"[]", "text/plain", 415, 415),
        (b"[]", "application/octet-stream", 415, 415),
        (b"[]", "application/json; charset=latin1", 415, 415),
        (b"[]", "application/json; charset=utf-8", 200, None),
        (b"{}", "application/json", 400, 400),
        (b"nonsense", "application/json", 400, 400),
        (b"", "application/json", 422, 602),
        (None, "", 422, 602),
        (b"[" * 50_000, "application/json", 400, 400),
    ],
)
async def test_bodies_that_are_none_are_refused_with_an_object(
    api: Api, body: bytes | None, kind: str, status: int, code: int | None
) -> None:
    for path in ("alerts", "silences"):
        if path == "silences" and (status == 200 or body == b"{}"):
            continue
        found = await api.ask("POST", f"/api/v2/{path}", body, {"Content-Type": kind} if kind else {})
        assert found[0] == status
        assert status == 200 or found[1]["code"] == code


async def test_what_cannot_be_stored_is_to_be_sent_again(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_arguments: object) -> None:
        raise StorageBusy("locked")

    monkeypatch.setattr(api.bridge.transactions, "write", busy)
    for method, path, body in (
        ("POST", "/api/v2/alerts", [alert("A")]),
        ("POST", "/api/v2/silences", GOOD),
    ):
        status, found, headers = await api.ask(method, path, body)
        assert (status, found["code"], headers["Retry-After"]) == (503, 503, "5")


async def test_an_error_of_ours_has_the_shape_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_arguments: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(api.bridge.silences, "every", broken)
    status, found, headers = await api.ask("GET", "/api/v2/silences")
    assert (status, headers["Content-Type"]) == (500, "application/json")
    assert "a bug" not in found


async def test_too_many_questions_at_once_are_put_off(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    started, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow(*_arguments: object) -> list[object]:
        started.release()
        await go_on.wait()
        return []

    monkeypatch.setattr(api.bridge.silences, "every", slow)
    asked = [asyncio.create_task(api.ask("GET", "/api/v2/silences")) for _one in range(alertmanager_v2.GETS_AT_ONCE)]
    for _one in asked:
        await started.acquire()
    status, found, _headers = await api.ask("GET", "/api/v2/silences")
    assert (status, found) == (503, "Limit of concurrent GET requests reached (8), try again later.\n")
    go_on.set()
    assert [status for status, _found, _headers in await asyncio.gather(*asked)] == [200] * len(asked)
    assert (await api.ask("GET", "/api/v2/silences"))[0] == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/api/v2/x", 404, "path /api/v2/x was not found"),
        ("GET", "/api/v2/", 404, "path /api/v2/ was not found"),
        ("GET", "/api/v2/silence/a/b", 404, "path /api/v2/silence/a/b was not found"),
        ("GET", "/api/v2/silence", 404, "path /api/v2/silence was not found"),
        ("PATCH", "/api/v2/alerts", 405, "method PATCH is not allowed, but [GET,POST] are"),
        ("POST", "/api/v2/status", 405, "method POST is not allowed, but [GET] are"),
        ("DELETE", "/api/v2/silences", 405, "method DELETE is not allowed, but [GET,POST] are"),
        ("PUT", "/api/v2/silence/x", 405, "method PUT is not allowed, but [GET,DELETE] are"),
    ],
)
async def test_unknown_paths_and_methods_have_alertmanagers_shape(
    api: Api, method: str, path: str, status: int, message: str
) -> None:
    found = await api.ask(method, path)
    assert found[:2] == (status, {"code": status, "message": message})
    assert (status == 405) is ("Allow" in found[2])


async def test_a_slash_at_the_end_and_head_are_taken_and_v1_is_gone(api: Api) -> None:
    assert await api.get("/status/") == await api.get("/status")
    for path in ("status", "alerts", "alerts/groups", "silences", "receivers"):
        status, found, _headers = await api.ask("HEAD", f"/api/v2/{path}")
        assert (status, found) == (200, "")
    status, found, _headers = await api.ask("GET", "/api/v1/alerts")
    assert (status, found["status"]) == (410, "deprecated")


async def test_under_a_route_prefix_everything_is_there_and_nothing_elsewhere(tmp_path: Path) -> None:
    async with api_of(tmp_path, prefix="/alerts-are/here") as api:
        assert (await api.ask("GET", "/alerts-are/here/api/v2/status"))[0] == 200
        assert (await api.ask("GET", "/api/v2/status"))[0] == 404


async def test_the_status_names_the_alertmanager_that_it_answers_like(api: Api) -> None:
    found = await api.get("/status")
    assert found["uptime"] == "2026-03-01T12:00:00.000Z"
    assert found["cluster"] == {"status": "disabled", "peers": []}
    assert found["versionInfo"]["version"] == "0.34.0"
    _status, metrics, _headers = await api.ask("GET", "/metrics")
    assert "alertmanager_build_info{" in metrics
    assert 'version="0.34.0"' in metrics
