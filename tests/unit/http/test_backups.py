"""`POST /api/v1/backups`: a backup goes on record if it is one of this bridge's database."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import Client, client, whole_bridge
from tests.unit.http.test_api_v1 import TOKENS

PATH = "/api/v1/backups"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


@pytest.fixture
async def api(bridge: Bridge) -> AsyncIterator[Client]:
    async with client(bridge) as asking:
        yield asking


async def newest(api: Client, token: str = "") -> dict[str, Any]:
    """The newest audit record, as whoever copied the database would have found it."""
    lines = (await api.get("/api/v1/audit", token)).decode().splitlines()
    found: dict[str, Any] = json.loads(lines[-1])
    return found


async def facts(api: Client, **other: object) -> dict[str, object]:
    record = await newest(api)
    named = {name: record[name] for name in ("seq", "chain", "hash")}
    return {"file": "copy.db", "bytes": 1234, "digest": "ab" * 32, "by": "ada", **named, **other}


async def test_a_backup_of_this_database_goes_on_record(api: Client) -> None:
    told = await facts(api)
    status, answer = await api.ask("POST", PATH, body=told)
    assert status == 200
    assert answer == {name: value for name, value in told.items() if name != "by"}
    record = await newest(api)
    assert (record["kind"], record["actor"], record["digest"]) == ("backup", "ada", "ab" * 32)
    assert json.loads(record["detail"]) == {"file": "copy.db", "bytes": 1234, "through": told["seq"]}


@pytest.mark.parametrize("other", [{"seq": 999_999}, {"chain": "another"}, {"hash": "00" * 32}])
async def test_a_backup_of_another_database_does_not(api: Client, other: dict[str, object]) -> None:
    status, problem = await api.ask("POST", PATH, body=await facts(api, **other))
    assert status == 409
    assert "another database" in problem["detail"]
    assert (await newest(api))["kind"] != "backup"


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"by": ""}, 400),
        ({"file": ""}, 422),
        ({"file": "a\x1b[2J"}, 422),
        ({"file": "a" * 300}, 422),
        ({"bytes": -1}, 422),
        ({"bytes": "many"}, 422),
        ({"seq": 0}, 422),
        ({"seq": 2**70}, 422),
        ({"digest": "AB" * 32}, 422),
        ({"hash": "ab"}, 422),
        ({"chain": ""}, 422),
        ({"unknown": 1}, 422),
    ],
)
async def test_nonsense_is_refused(api: Client, other: dict[str, object], status: int) -> None:
    answered, problem = await api.ask("POST", PATH, body=await facts(api, **other))
    assert answered == status, problem
    assert problem["status"] == status


async def test_a_body_that_is_none_is_refused(api: Client) -> None:
    assert (await api.ask("POST", PATH, body=[1]))[0] == 422
    assert (await api.ask("POST", PATH))[0] == 422


async def test_only_administrators_may_with_the_tokens_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWER", "RESPONDER", "ADMIN"):
        monkeypatch.setenv(name, f"{name.lower()}-token")
    async with whole_bridge(tmp_path, TOKENS) as bridge, client(bridge) as api:
        record = await newest(api, "admin-token")
        told = {
            "file": "f",
            "bytes": 1,
            "digest": "ab" * 32,
            **{name: record[name] for name in ("seq", "chain", "hash")},
        }
        answered = [
            (await api.ask("POST", PATH, body=told, token=token))[0]
            for token in ("", "viewer-token", "responder-token", "admin-token")
        ]
        assert answered == [401, 403, 403, 200]
        assert (await newest(api, "admin-token"))["actor"] == "root"
