"""`POST /api/v1/explain` of a whole bridge: who may ask, what is answered, and that nothing follows."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import Client, client, notification, whole_bridge

PATH = "/api/v1/explain"
ACCESS = """
access:
  tokens:
    - {name: grafana-ui, roles: [viewer], token: "env:VIEWER"}
    - {name: sender, roles: [ingest], token: "env:SENDER"}
"""
_OF_ITS_OWN = frozenset({"meta", "audit_checkpoints"})
"""What a running bridge writes though nobody asks anything of it."""


def rows(folder: Path) -> dict[str, list[Any]]:
    """Every row of every table."""
    with closing(sqlite3.connect(f"file:{folder}/bridge.db?mode=ro", uri=True)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {
            name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names if name not in _OF_ITS_OWN
        }


async def explained(api: Client, **ask: object) -> Any:
    status, document = await api.ask("POST", PATH, body=ask)
    assert status == 200, document
    return document


async def test_the_answer_is_as_the_document_says(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge, client(bridge) as api:
        document = await api.get("/openapi.json")
        answer = await explained(api, labels={"alertname": "Down"})
        content = document["paths"][PATH]["post"]["responses"]["200"]["content"]["application/json"]
        schema = {**content["schema"], "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(answer)
        assert answer["groups"][0]["channels"][0]["title"] == "[FIRING:1] Down"


async def test_nothing_is_written_and_nobody_is_told(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge, client(bridge) as api:
        await api.ask("POST", "/webhook", body=notification("Down", severity="critical"))
        await _dead(api)
        before = rows(tmp_path)
        for ask in (
            {"labels": {"alertname": "Down", "severity": "critical"}},
            {"labels": {"alertname": "Other"}},
            {"labels": {"alertname": "Other"}, "source": "api", "at": "2030-01-01T00:00:00Z"},
            {"payload": notification("Down", "resolved", severity="critical")},
            {"payload": [{"labels": {"alertname": "Third"}}], "fresh": True},
        ):
            await explained(api, **ask)
        assert rows(tmp_path) == before


async def _dead(api: Client) -> None:
    """Until the one delivery that there is has come to its end."""
    for _ in range(200):
        found = await api.get("/api/v1/deliveries")
        if [one["state"] for one in found["deliveries"]] == ["dead"]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the delivery did not die")


@pytest.mark.parametrize(
    ("ask", "status", "says"),
    [
        ({}, 422, "give the labels"),
        ({"labels": {"a": "b"}, "nonsense": 1}, 422, "a field is unknown, or not of its type; there are: labels,"),
        ({"labels": {"a": 1}}, 422, "not of its type"),
        ({"labels": {"a": "b"}, "at": "tomorrow"}, 422, "at is no RFC 3339 time"),
        ({"payload": {"nonsense": True}}, 422, "the payload cannot be read"),
        ({"payload": "text"}, 422, "the payload cannot be read"),
        ([], 422, "a field is unknown"),
    ],
)
async def test_a_question_that_makes_no_sense_is_422(tmp_path: Path, ask: object, status: int, says: str) -> None:
    async with whole_bridge(tmp_path) as bridge, client(bridge) as api:
        found, problem = await api.ask("POST", PATH, body=ask)
        assert (found, problem["status"]) == (status, status)
        assert says in problem["detail"]


async def test_viewers_may_ask_and_senders_may_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIEWER", "view")
    monkeypatch.setenv("SENDER", "send")
    async with whole_bridge(tmp_path, ACCESS) as bridge, client(bridge) as api:
        assert [await _status(api, token) for token in ("view", "send", "")] == [200, 403, 401]


async def _status(api: Client, token: str) -> int:
    return (await api.ask("POST", PATH, body={"labels": {"alertname": "Down"}}, token=token))[0]


async def test_a_channel_that_cannot_be_used_is_not_told(tmp_path: Path) -> None:
    channel = '{type: slack, webhook_url: "env:THERE_IS_NO_SUCH_VARIABLE"}'
    async with whole_bridge(tmp_path, channel=channel) as bridge, client(bridge) as api:
        (group,) = (await explained(api, labels={"alertname": "Down"}))["groups"]
        assert (group["told"], group["why"]) == (False, "no_channel_wants_it")
        assert group["channels"][0]["why"] == "channel_unusable"
        assert "THERE_IS_NO_SUCH_VARIABLE" in group["channels"][0]["problem"]


async def test_an_answer_stays_within_bounds_however_many_routes_there_are(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge:
        await _check_bounds(bridge, tmp_path)


async def _check_bounds(bridge: Bridge, folder: Path) -> None:
    path = folder / "bridge.yml"
    routes = "".join(f"    - {{matchers: ['team=\"{number}\"'], receiver: nowhere}}\n" for number in range(3000))
    text = path.read_text().replace("route: {receiver: nowhere}\n", f"route:\n  receiver: nowhere\n  routes:\n{routes}")
    path.write_text(text)
    assert await bridge.reload() == ()
    async with client(bridge) as api:
        payload = [{"labels": {"alertname": f"A{number}", "team": "2999"}} for number in range(10)]
        answer = await explained(api, payload=payload)
        trees = [alert["tree"] for alert in answer["alerts"]]
        assert sum(len(tree["routes"]) for tree in trees) <= 10_000 + 10
        assert [len(tree["routes"]) + tree["left_out"] for tree in trees] == [3000] * 10
        assert {tree["routes"][-1]["verdict"] for tree in trees} == {"taken"}
