"""Who may do what, from a request's headers alone."""

from __future__ import annotations

import base64

import pytest
from aiohttp.test_utils import make_mocked_request

from bridge.domain.secret import Secret
from bridge.http.access import Access, Role, all_roles, is_loopback, token
from bridge.http.problem import Problem

HOST = {"Host": "localhost:9099"}
EVERYONE = Access(everyone=True)
TOKENS = Access(tokens=(token("ui", ["viewer"], Secret("view")), token("pär", ["admin"], Secret("schlüssel"))))


def basic(password: str, user: str = "anything") -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def status_of(access: Access, role: Role, headers: dict[str, str], method: str = "GET", path: str = "/x") -> int:
    try:
        access.require(make_mocked_request(method, path, headers=headers), role)
    except Problem as problem:
        return problem.status
    return 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "LOCALHOST:9099"},
        {"Host": "127.0.0.1:9099"},
        {"Host": "127.8.9.1"},
        {"Host": "[::1]:9099"},
        HOST | {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:9099"},
        HOST | {"Sec-Fetch-Site": "none"},
        HOST | {"Authorization": "Bearer whatever"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_on_loopback_everyone_has_every_role(headers: dict[str, str], method: str) -> None:
    for role in Role:
        assert status_of(EVERYONE, role, headers, method) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": ""},
        {"Host": "bridge.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:80"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "10.0.0.1"},
        {"Host": "[::1"},
        HOST | {"Forwarded": "for=1.2.3.4"},
        HOST | {"X-Forwarded-For": "1.2.3.4"},
        HOST | {"x-forwarded-proto": "https"},
        HOST | {"X-Forwarded-Whatever": ""},
        HOST | {"Origin": "http://evil.example"},
        HOST | {"Origin": "null"},
        HOST | {"Origin": "http://localhost:8080"},
        HOST | {"Sec-Fetch-Site": "cross-site"},
        HOST | {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_may_not_be_local_is_refused_and_told_of_access(headers: dict[str, str], method: str) -> None:
    with pytest.raises(Problem, match="`access:`") as refusal:
        EVERYONE.require(make_mocked_request(method, "/x", headers=headers), Role.VIEWER)
    assert refusal.value.status == 403


def test_an_absolute_target_is_not_local_whatever_its_host() -> None:
    assert status_of(EVERYONE, Role.VIEWER, HOST, path="http://localhost:9099/x") == 403


@pytest.mark.parametrize(
    ("credential", "status"),
    [
        ("Bearer view", 200),
        ("bearer view", 200),
        ("BEARER   view  ", 200),
        (basic("view"), 200),
        (basic("schlüssel"), 200),
        ("Bearer schlüssel", 200),
        ("Bearer wrong", 401),
        ("Bearer ", 401),
        ("Bearer", 401),
        ("Bearer view2", 401),
        ("Bearer \xe9", 401),
        ("Basic !!!", 401),
        ("Basic é", 401),
        (basic(""), 401),
        ("Basic " + base64.b64encode(b"view").decode(), 401),
        ("Digest view", 401),
        ("", 401),
        ("view", 401),
    ],
)
def test_a_token_is_a_bearer_or_a_basic_password(credential: str, status: int) -> None:
    assert status_of(TOKENS, Role.VIEWER, HOST | {"Authorization": credential}) == status


def test_without_a_token_one_is_asked_who_one_is() -> None:
    with pytest.raises(Problem) as refusal:
        TOKENS.require(make_mocked_request("GET", "/x", headers=HOST), Role.VIEWER)
    assert refusal.value.status == 401
    assert "Basic" in refusal.value.headers["WWW-Authenticate"]


def test_a_token_without_the_role_is_refused() -> None:
    assert status_of(TOKENS, Role.RESPONDER, HOST | {"Authorization": "Bearer view"}) == 403
    assert status_of(TOKENS, Role.INGEST, HOST | {"Authorization": basic("schlüssel")}) == 403


def test_admins_are_responders_and_responders_are_viewers_but_nobody_ingests_by_that() -> None:
    assert all_roles(["admin"]) == {Role.ADMIN, Role.RESPONDER, Role.VIEWER}
    assert all_roles(["responder", "ingest"]) == {Role.RESPONDER, Role.VIEWER, Role.INGEST}
    assert all_roles([]) == set()


def test_anonymous_roles_hold_without_a_token_and_not_with_a_wrong_one() -> None:
    access = Access(tokens=TOKENS.tokens, anonymous=frozenset({Role.VIEWER}))
    assert status_of(access, Role.VIEWER, {"Host": "bridge.example"}) == 200
    assert status_of(access, Role.RESPONDER, {"Host": "bridge.example"}) == 401
    assert status_of(access, Role.VIEWER, {"Authorization": "Bearer wrong"}) == 401


@pytest.mark.parametrize("headers", [{"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_another_sites_page_cannot_use_what_the_browser_knows(headers: dict[str, str]) -> None:
    access = Access(tokens=TOKENS.tokens, anonymous=frozenset({Role.RESPONDER}))
    host = {"Host": "bridge.example"}
    known = {"Authorization": basic("schlüssel")}
    assert status_of(access, Role.RESPONDER, host | headers, "POST") == 403
    assert status_of(access, Role.RESPONDER, host | headers | known, "POST") == 403
    assert status_of(access, Role.RESPONDER, host | known | {"Origin": "http://bridge.example"}, "POST") == 200
    assert status_of(access, Role.RESPONDER, host | headers | {"Authorization": "Bearer schlüssel"}, "POST") == 200


def test_the_token_itself_is_not_kept() -> None:
    assert "view" not in repr(TOKENS.tokens[0].digest)
    assert len(TOKENS.tokens[0].digest) == 32


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.1.2.3", True), ("::1", True), ("::", False), ("0.0.0.0", False), ("x", False)]
)
def test_loopback_is_told_from_the_rest(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1"])
def test_this_machine_is_local(peer: str) -> None:
    EVERYONE.require(make_mocked_request("GET", "/x", headers=HOST).clone(remote=peer), Role.ADMIN)


@pytest.mark.parametrize("peer", ["192.0.2.7", "fe80::1", "2001:db8::1"])
def test_another_machine_is_not_local_whatever_host_it_names(peer: str) -> None:
    with pytest.raises(Problem) as refused:
        EVERYONE.require(make_mocked_request("GET", "/x", headers=HOST).clone(remote=peer), Role.VIEWER)
    assert refused.value.status == 403
    assert "access:" in refused.value.detail
