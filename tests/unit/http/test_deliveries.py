"""`/api/v1/deliveries`: filters, and replays page by page, with what is said to those who ask for nonsense."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bridge.app.bridge import Bridge
from tests.unit.http.real import Client, client, notification, whole_bridge
from tests.unit.http.test_api_v1 import TOKENS, check

REPLAY = "/api/v1/deliveries/replay"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with whole_bridge(tmp_path) as running:
        yield running


@pytest.fixture
async def api(bridge: Bridge) -> AsyncIterator[Client]:
    async with client(bridge) as asking:
        yield asking


async def dead(api: Client, *names: str) -> None:
    """An incident of each name, whose delivery died."""
    for name in names:
        assert (await api.ask("POST", "/webhook", body=notification(name)))[0] == 200
    for _ in range(200):
        if len((await api.get("/api/v1/deliveries?state=dead"))["deliveries"]) >= len(names):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the deliveries did not die")


async def replay(api: Client, **fields: object) -> Any:
    status, page = await api.ask("POST", REPLAY, body={"by": "alice", **fields})
    assert status == 200, page
    return page


async def test_deliveries_are_filtered_by_reason_and_time(api: Client) -> None:
    await dead(api, "DiskFull")
    for query, number in {
        "reason=opened": 1,
        "reason=network": 1,
        "reason=resolved": 0,
        "since=1h": 1,
        "since=0": 0,
        "until=1h": 0,
        "until=2099-01-01T00:00:00Z": 1,
        "since=2026-01-01T00:00:00%2B02:00&until=2099-01-01T00:00:00Z&channel=nowhere&state=dead": 1,
    }.items():
        assert len((await api.get(f"/api/v1/deliveries?{query}"))["deliveries"]) == number, query


@pytest.mark.parametrize(
    "query",
    ["reason=opend", "since=yesterday", "since=2026-01-01T00:00:00", "until=-1h", "channel=%00", "incident=%1b"],
)
async def test_a_filter_that_makes_no_sense_is_400_and_says_which(api: Client, query: str) -> None:
    status, problem = await api.ask("GET", f"/api/v1/deliveries?{query}")
    assert status == 400
    assert query.partition("=")[0] in problem["detail"]


async def test_a_replay_goes_on_from_page_to_page_and_is_as_the_document_says(api: Client) -> None:
    await dead(api, "One", "Two", "Three")
    document = await api.get("/openapi.json")
    dry = await replay(api, dry_run=True)
    check(document, REPLAY, "post", dry)
    assert dry["channels"] == [{"channel": "nowhere", "replayed": 3, "superseded": 0, "left_out": 0}]
    first = await replay(api, limit=2)
    check(document, REPLAY, "post", first)
    assert (first["looked"], first["channels"][0]["replayed"]) == (2, 2)
    second = await replay(api, limit=2, cursor=first["next"])
    assert (second["looked"], second["next"]) == (1, None)
    lines = (await api.get("/api/v1/audit?kind=replayed")).splitlines()
    assert [json.loads(line)["actor"] for line in lines] == ["alice"] * 3


async def test_what_is_left_out_is_named_with_why(api: Client) -> None:
    await dead(api, "One")
    await api.ask("POST", "/webhook", body=notification("One", "resolved"))
    page = await replay(api)
    (left_out,) = page["left_out"]
    assert (left_out["channel"], left_out["why"]) == ("nowhere", "not_firing")
    assert page["channels"] == [{"channel": "nowhere", "replayed": 0, "superseded": 0, "left_out": 1}]
    assert (await replay(api, all=True))["channels"][0]["replayed"] == 1


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"by": "alice", "chanel": "chat"}, 422, "channel"),
        ({"by": "alice", "all": "yes"}, 422, "all"),
        ({"by": "alice", "state": "sent"}, 422, "state"),
        ({"by": "alice", "limit": 0}, 422, "limit"),
        ({"by": "alice", "cursor": "5"}, 422, "cursor"),
        ({"by": "alice", "since": "yesterday"}, 422, "since"),
        ({"by": "alice", "since": "1h", "until": "2h"}, 422, "until must be later"),
        ({"by": "alice", "reason": "opend"}, 422, "opened"),
        ({"by": "alice", "channel": "a\u0000"}, 422, "channel"),
        (["alice"], 422, "by"),
        ({"channel": "nowhere"}, 400, "who acts"),
        ({"by": "alice", "channel": "chta"}, 404, "no such channel"),
        ({"by": "alice", "incident": "none"}, 404, "no such incident"),
    ],
)
async def test_a_replay_that_makes_no_sense_is_refused_and_says_why(
    api: Client, body: object, status: int, said: str
) -> None:
    await dead(api, "One")
    got, problem = await api.ask("POST", REPLAY, body=body)
    assert (got, said in problem["detail"]) == (status, True), problem
    assert (await api.get("/api/v1/audit?kind=replayed")) == b""
    check(await api.get("/openapi.json"), REPLAY, "post", problem, str(status))


async def test_dead_letters_of_a_channel_that_was_taken_out_can_still_be_named(tmp_path: Path) -> None:
    async with whole_bridge(tmp_path) as bridge, client(bridge) as api:
        await dead(api, "One")
    text = (tmp_path / "bridge.yml").read_text().replace("nowhere", "elsewhere")
    (tmp_path / "bridge.yml").write_text(text)
    from bridge.domain.clock import SystemClock

    bridge = await Bridge.start(tmp_path / "bridge.yml", SystemClock(), fatal=print)
    try:
        async with client(bridge) as api:
            assert (await replay(api, channel="nowhere", dry_run=True))["channels"][0]["replayed"] == 1
    finally:
        await bridge.stop()


async def test_replaying_is_for_admins_and_goes_under_the_name_of_their_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VIEWER", "RESPONDER", "ADMIN"):
        monkeypatch.setenv(name, f"{name.lower()}-token")
    async with whole_bridge(tmp_path, TOKENS + "  anonymous: [ingest, viewer]\n") as bridge, client(bridge) as api:
        await dead(api, "One")
        for token, status in {"": 401, "viewer-token": 403, "responder-token": 403, "admin-token": 200}.items():
            assert (await api.ask("POST", REPLAY, body={"by": "mallory"}, token=token))[0] == status
        (line,) = (await api.get("/api/v1/audit?kind=replayed", token="admin-token")).splitlines()
        assert json.loads(line)["actor"] == "root"


async def test_a_letter_whose_incident_is_acknowledged_is_409_and_says_so(api: Client) -> None:
    await dead(api, "One")
    (letter,) = (await api.get("/api/v1/deliveries?state=dead"))["deliveries"]
    await api.ask("POST", f"/api/v1/incidents/{letter['incident']}/acknowledge", body={"by": "alice"})
    status, problem = await api.ask("POST", f"/api/v1/deliveries/{letter['id']}/retry", body={"by": "alice"})
    assert status == 409
    assert "acknowledged" in problem["detail"]
    assert "acknowledged_by" not in problem
