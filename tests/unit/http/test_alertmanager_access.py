"""API v2: who may ask what."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.http.alertmanager_api import GOOD, TOKENS, api_of


async def test_answers_carry_what_browsers_ask_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWER", "RESPONDER", "INGEST"):
        monkeypatch.setenv(name, name.lower())
    async with api_of(tmp_path, TOKENS) as api:
        _status, _found, headers = await api.ask("GET", "/api/v2/silences", token="viewer")
        assert (headers["Vary"], headers["Cache-Control"]) == ("Origin", "no-store")
        assert "Access-Control-Allow-Origin" not in headers
        origin = {"Origin": "http://elsewhere.example"}
        status, _found, headers = await api.ask("GET", "/api/v2/silences", headers=origin, token="viewer")
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, "*")
        status, _found, headers = await api.ask("POST", "/api/v2/silences", GOOD, origin, "responder")
        assert status == 403
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("method", "path", "role"),
    [
        ("GET", "status", "viewer"), ("GET", "receivers", "viewer"), ("GET", "alerts", "viewer"),
        ("GET", "alerts/groups", "viewer"), ("GET", "silences", "viewer"), ("POST", "alerts", "ingest"),
        ("POST", "silences", "responder"), ("GET", "silence/00000000-0000-4000-8000-000000000000", "viewer"),
        ("DELETE", "silence/00000000-0000-4000-8000-000000000000", "responder"),
    ],
)  # fmt: skip
async def test_each_question_needs_its_role(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, path: str, role: str
) -> None:
    for name in ("VIEWER", "RESPONDER", "INGEST"):
        monkeypatch.setenv(name, name.lower())
    allowed = {"viewer": {"viewer", "responder"}, "ingest": {"ingest"}, "responder": {"responder"}}[role]
    body = b"[]" if method == "POST" else None
    async with api_of(tmp_path, TOKENS) as api:
        for token in ("viewer", "responder", "ingest"):
            status, found, _headers = await api.ask(method, f"/api/v2/{path}", body, token=token)
            assert (status == 403) is (token not in allowed), token
            assert status != 403 or found["code"] == 403
        for token in ("", "wrong"):
            status, found, headers = await api.ask(method, f"/api/v2/{path}", body, token=token)
            assert (status, found["code"]) == (401, 401)
            assert "Basic" in headers["WWW-Authenticate"]
