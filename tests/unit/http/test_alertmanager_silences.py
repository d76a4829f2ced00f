"""API v2: silences and their authors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.bridge_bench import START
from tests.unit.http.alertmanager_api import GOOD, TOKENS, Api, alert, api_of


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with api_of(tmp_path) as asking:
        yield asking


async def test_the_author_of_a_silence_is_who_the_token_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWER", "RESPONDER", "INGEST"):
        monkeypatch.setenv(name, name.lower())
    async with api_of(tmp_path, TOKENS.replace("  tokens", "  anonymous: [responder]\n  tokens")) as api:
        for said, token, author, annotations in (
            ("bob", "responder", "alice", {"requestedBy": "bob"}),
            ("alice", "responder", "alice", None),
            ("", "responder", "alice", None),
            ("bob", "", "bob", None),
        ):
            status, found, _headers = await api.ask(
                "POST", "/api/v2/silences", {**GOOD, "createdBy": said}, token=token
            )
            assert status == 200
            silence = await api.get(f"/silence/{found['silenceID']}")
            assert (silence["createdBy"], silence.get("annotations")) == (author, annotations)
        status, found, _headers = await api.ask("POST", "/api/v2/silences", {**GOOD, "createdBy": "alice"})
        assert (status, found["code"]) == (403, 403)


async def test_silences_are_listed_in_alertmanagers_order_and_filtered_by_state_and_matcher(api: Api) -> None:
    def times(start: int, end: int) -> dict[str, str]:
        return {
            name: (START + timedelta(minutes=at)).isoformat() for name, at in (("startsAt", start), ("endsAt", end))
        }

    ids = {
        name: await api.silence(**times(*span), comment=name)
        for name, span in {
            "late": (0, 90), "soon": (0, 30), "far": (60, 99), "near": (50, 99), "first": (0, 1), "second": (0, 2),
        }.items()
    }  # fmt: skip
    api.clock.turn(minutes=5)

    async def comments(query: str = "") -> list[str]:
        return [found["comment"] for found in await api.get(f"/silences{query}")]

    assert await comments() == ["soon", "late", "near", "far", "second", "first"]
    assert await comments("?active=false&pending=no") == ["second", "first"]
    assert await comments("?expired=false") == ["soon", "late", "near", "far"]
    assert await comments("?filter=alertname%3D%22A%22&pending=false&expired=false") == ["soon", "late"]
    assert await comments("?filter=alertname%3D~%22A%22") == []
    assert await comments("?filter=alertname%3D%22A%22&filter=team%3Dx") == []
    assert (await api.get(f"/silence/{ids['first']}"))["status"] == {"state": "expired"}


async def test_a_silence_is_deleted_by_ending_it(api: Api) -> None:
    made = await api.silence()
    for _again in range(2):
        status, found, headers = await api.ask("DELETE", f"/api/v2/silence/{made}")
        assert (status, found) == (200, "")
        assert "Content-Type" not in headers
    assert (await api.get(f"/silence/{made}"))["status"]["state"] == "expired"
    unknown = "00000000-0000-4000-8000-000000000000"
    for method in ("GET", "DELETE"):
        assert (await api.ask(method, f"/api/v2/silence/{unknown}"))[:2] == (404, "")
        status, found, _headers = await api.ask(method, "/api/v2/silence/nonsense")
        assert (status, found["code"]) == (422, 601)
    assert (await api.ask("POST", "/api/v2/silences", {**GOOD, "id": unknown}))[:2] == (404, "silence not found")


async def test_silences_survive_a_restart(tmp_path: Path) -> None:
    async with api_of(tmp_path) as api:
        made = await api.silence(annotations={"ticket": "7"})
        await api.post(alert("A"))
    async with api_of(tmp_path) as api:
        (found,) = await api.get("/silences")
        assert (found["id"], found["annotations"]) == (made, {"ticket": "7"})
        (shown,) = await api.get("/alerts")
        assert shown["status"] == {"state": "suppressed", "silencedBy": [made], "inhibitedBy": [], "mutedBy": []}
