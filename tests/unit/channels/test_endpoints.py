from __future__ import annotations

import base64
from urllib.parse import quote, quote_plus

import pytest
from msgspec import Struct

from bridge.channels.endpoints import Masking, endpoint, read_json
from bridge.domain.secret import Secret
from bridge.net import Response


class Form(Struct, frozen=True):
    ok: bool = False


TOKEN = "canary/+= token"


@pytest.mark.parametrize(
    "spelling",
    [TOKEN, quote(TOKEN, safe=""), quote_plus(TOKEN), quote(TOKEN), base64.b64encode(TOKEN.encode()).decode()],
)
def test_a_service_that_echoes_a_credential_is_not_quoted_with_it(spelling: str) -> None:
    said = Masking(Secret(TOKEN))(f"bad token {spelling}!")
    assert "canary" not in said
    assert base64.b64encode(TOKEN.encode()).decode() not in said
    assert said.startswith("bad token <secret>")


def test_what_a_service_says_is_one_short_line() -> None:
    assert Masking(Secret(""))("a\r\nb\x1b[31m\u202ec") == "a b [31m c"
    assert len(Masking()("x" * 1000)) == 200


@pytest.mark.parametrize(
    ("base", "whole"),
    [
        ("https://a.example", "https://a.example/v1/send"),
        ("https://a.example/", "https://a.example/v1/send"),
        ("https://a.example/proxy/", "https://a.example/proxy/v1/send"),
        ("https://a.example/v1/send", "https://a.example/v1/send"),
    ],
)
def test_a_path_is_put_under_the_base_once(base: str, whole: str) -> None:
    assert endpoint(Secret(base), "/v1/send").reveal() == whole


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"\xff"', b"[" * 100_000, b'{"ok": 1}', b"null"])
def test_what_is_not_the_form_is_nothing(body: bytes) -> None:
    assert read_json(Response(200, {}, body), Form) is None


def test_unknown_fields_do_not_matter() -> None:
    assert read_json(Response(200, {}, b'{"new": [1], "ok": true}'), Form) == Form(ok=True)
