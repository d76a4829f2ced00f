"""Requests as bytes: what a service reads before the body."""

from __future__ import annotations

import pytest
from yarl import URL

from bridge.net.head import OURS, Place, head_of

PLACE = Place.of(URL("http://hook.example:8080/a%2Fb?q=%20c"))
AGENT = OURS["User-Agent"]


def lines(head: bytes) -> list[str]:
    return head.decode().removesuffix("\r\n\r\n").split("\r\n")


def test_a_head_is_the_request_line_what_is_ours_what_is_given_and_the_length() -> None:
    assert lines(head_of("POST", PLACE, {"webhook-id": "1"}, 7)) == [
        "POST /a%2Fb?q=%20c HTTP/1.1",
        "Host: hook.example:8080",
        f"User-Agent: {AGENT}",
        "Accept-Encoding: identity",
        "webhook-id: 1",
        "Content-Length: 7",
    ]


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://hook.example/", "hook.example"),
        ("https://hook.example:443/", "hook.example"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
        ("http://bücher.example/ü", "xn--bcher-kva.example"),
    ],
)
def test_the_host_is_named_as_the_service_knows_itself(url: str, host: str) -> None:
    found = lines(head_of("POST", Place.of(URL(url)), {}, 0))
    assert found[1] == f"Host: {host}"
    assert found[0].isascii()


def test_a_proxy_that_reads_the_request_is_told_the_whole_url() -> None:
    place = Place.of(URL("http://hook.example/x?y"), to_proxy=True)
    assert lines(head_of("GET", place, {}, 0))[:2] == ["GET http://hook.example/x?y HTTP/1.1", "Host: hook.example"]


@pytest.mark.parametrize("name", ["user-agent", "HOST", "Accept-encoding"])
def test_a_header_that_is_given_takes_the_place_of_ours(name: str) -> None:
    found = lines(head_of("POST", PLACE, {name: "mine"}, 0))
    assert [line for line in found if line.lower().startswith(f"{name.lower()}:")] == [f"{name}: mine"]
    assert len(found) == 5


def test_the_length_is_counted_and_never_believed() -> None:
    found = lines(head_of("POST", PLACE, {"content-length": "1000"}, 7))
    assert [line for line in found if "ength" in line] == ["Content-Length: 7"]


@pytest.mark.parametrize(("method", "said"), [("GET", False), ("HEAD", False), ("POST", True), ("DELETE", True)])
def test_no_body_is_said_only_where_one_could_be(method: str, said: bool) -> None:
    assert (b"Content-Length: 0" in head_of(method, PLACE, {}, 0)) == said
    assert b"Content-Length: 3" in head_of(method, PLACE, {}, 3)


@pytest.mark.parametrize(
    "header",
    [
        ("X-A", "b\r\nX-Injected: 1"),
        ("X-A", "b\n c"),
        ("X-A", "b\rc"),
        ("X-A", "b\0c"),
        ("X-A\r\nX-Injected", "1"),
        ("X-A", "\ud800"),
        ("Transfer-Encoding", "chunked"),
        ("User-Agent", "a\r\nX-Injected: 1"),
    ],
)
def test_what_would_be_another_header_or_another_framing_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"line|chunks|encode"):
        head_of("POST", PLACE, dict([header]), 0)
