from __future__ import annotations

import asyncio
import base64
import gzip
import socket
import threading
from collections.abc import AsyncIterator

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bridge.domain.errors import FailureReason, Refused, Retryable
from bridge.domain.secret import Secret
from bridge.net import Egress, HttpClient
from bridge.net.resolver import ThreadedResolver
from tests.contract.channels.leaks import assert_no_secret
from tests.simulators.raw import serving
from tests.simulators.server import Simulator

CANARIES = ("canary-user", "canary-password", "canary-path", "canary-query")


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient(Egress())
    yield made
    await made.close()


@pytest.fixture
async def service() -> AsyncIterator[Simulator]:
    async with Simulator() as running:
        yield running


async def test_a_request_arrives_as_it_was_given(client: HttpClient, service: Simulator) -> None:
    service.next(201, b"answer", {"X-Answer": "1"})
    response = await client.request(
        "PUT", f"{service.url}/a%2Fb?q=%20c", body=b"\x00body", headers={"X-Mine": "yes", "Content-Type": "text/plain"}
    )
    (request,) = service.requests
    assert (request.method, request.path, request.body) == ("PUT", "/a%2Fb?q=%20c", b"\x00body")
    assert request.headers["X-Mine"] == "yes"
    assert request.headers["Content-Type"] == "text/plain"
    assert request.headers["Content-Length"] == "5"
    assert request.headers["User-Agent"].startswith("alertbridge/")
    assert (response.status, response.body, response.complete) == (201, b"answer", True)
    assert response.headers["x-answer"] == "1"


async def test_an_empty_body_is_sent_as_such(client: HttpClient, service: Simulator) -> None:
    await client.request("POST", service.url)
    assert service.requests[0].headers["Content-Length"] == "0"


async def test_a_body_of_several_mebibytes_is_sent_whole(client: HttpClient, service: Simulator) -> None:
    body = b"0123456789abcdef" * 200_000
    await client.request("POST", service.url, body=body)
    assert service.requests[0].body == body


async def test_no_cookie_is_ever_sent_back(client: HttpClient, service: Simulator) -> None:
    service.next(200, b"", {"Set-Cookie": "session=1; Path=/"})
    for _ in range(2):
        await client.request("POST", service.url.replace("127.0.0.1", "localhost"))
    assert "Cookie" not in service.requests[1].headers


async def test_a_compressed_answer_is_neither_asked_for_nor_unpacked(client: HttpClient, service: Simulator) -> None:
    bomb = gzip.compress(b"0" * 1_000_000)
    service.next(200, bomb, {"Content-Encoding": "gzip"})
    response = await client.request("POST", service.url)
    assert service.requests[0].headers["Accept-Encoding"] == "identity"
    assert response.body == bomb


async def test_one_connection_serves_many_requests(client: HttpClient) -> None:
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with serving(answer) as port:
        for _ in range(5):
            await client.request("POST", f"http://127.0.0.1:{port}/")
    assert connections == 1


@pytest.mark.parametrize("size", [65_536, 65_537, 10_000_000])
async def test_at_most_64_kibibytes_of_an_answer_are_kept(client: HttpClient, service: Simulator, size: int) -> None:
    service.flood(200, size)
    response = await client.request("POST", service.url)
    assert len(response.body) == 65_536
    assert response.complete == (size == 65_536)


async def test_a_status_counts_even_if_its_body_breaks_off(client: HttpClient, service: Simulator) -> None:
    service.truncated(202, b"half")
    response = await client.request("POST", service.url)
    assert (response.status, response.body, response.complete) == (202, b"half", False)


async def test_a_status_counts_even_if_its_body_never_ends(client: HttpClient, service: Simulator) -> None:
    service.drip(202)
    response = await client.request("POST", service.url, timeout=0.4)
    assert (response.status, response.complete) == (202, False)


async def test_user_and_password_in_a_url_become_a_header(client: HttpClient, service: Simulator) -> None:
    await client.request("POST", Secret(service.url.replace("://", "://canary-user:canary%2Fpassword@")))
    expected = base64.b64encode(b"canary-user:canary/password").decode()
    assert service.requests[0].headers["Authorization"] == f"Basic {expected}"


async def test_given_credentials_win_over_those_of_the_url(client: HttpClient, service: Simulator) -> None:
    url = service.url.replace("://", "://a:b@")
    await client.request("POST", url, headers={"authorization": "Bearer x"})
    await client.request("POST", url, basic=("c", Secret("d")))
    assert service.requests[0].headers.getall("Authorization") == ["Bearer x"]
    assert service.requests[1].headers.getall("Authorization") == ["Basic " + base64.b64encode(b"c:d").decode()]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "canary-path",
        "ftp://example.com/canary-path",
        "file:///etc/canary-path",
        "http:///canary-path",
        "http://canary-user:canary-password@/canary-path?canary-query",
        "http://example.com:99999/canary-path",
        "http://example.com:port/canary-path",
        "http://[::1/canary-path",
        "//example.com/canary-path",
    ],
)
async def test_what_is_no_url_is_refused_and_not_repeated(client: HttpClient, url: str) -> None:
    with pytest.raises(Refused) as caught:
        await client.request("POST", url)
    assert_no_secret(CANARIES, caught.value)


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "a\x00b"])
async def test_a_header_with_a_line_break_is_refused(client: HttpClient, service: Simulator, value: str) -> None:
    with pytest.raises(Refused) as caught:
        await client.request("POST", service.url, headers={"X-Token": f"canary-password{value}"})
    assert_no_secret(CANARIES, caught.value)
    assert service.requests == []


async def test_no_failure_repeats_the_url(client: HttpClient, service: Simulator) -> None:
    host = service.url.removeprefix("http://")
    url = f"http://canary-user:canary-password@{host}/canary-path?canary-query"
    for misbehave in (service.hang, service.reset, service.garbage):
        misbehave()
        with pytest.raises(Retryable) as caught:
            await client.request("POST", url, timeout=0.4)
        assert_no_secret(CANARIES, caught.value)
        assert host in str(caught.value)
        assert caught.value.unknown


class Failing(AbstractResolver):
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        raise OSError(f"{host}:{port} {family}: no such name")

    async def close(self) -> None:
        pass


async def test_a_name_that_does_not_resolve_is_surely_not_sent() -> None:
    client = HttpClient(Egress(), resolver=Failing())
    with pytest.raises(Retryable) as caught:
        await client.request("POST", "http://nowhere.example/canary-path")
    await client.close()
    assert caught.value.reason is FailureReason.DNS
    assert not caught.value.unknown
    assert_no_secret(CANARIES, caught.value)


async def test_a_resolver_that_hangs_neither_stops_the_loop_nor_outlives_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_more: release.wait(10) and [])
    client = HttpClient(Egress(), resolver=ThreadedResolver(timeout=0.05))
    try:
        with pytest.raises(Retryable) as caught:
            await client.request("POST", "http://slow.example/", timeout=5.0)
    finally:
        release.set()
        await client.close()
    assert caught.value.reason is FailureReason.DNS


async def test_the_systems_resolver_knows_localhost() -> None:
    resolver = ThreadedResolver()
    found = await resolver.resolve("localhost", 80, socket.AF_INET)
    await resolver.close()
    assert [entry["host"] for entry in found] == ["127.0.0.1"]


async def test_a_request_goes_to_the_proxy_and_shows_it_its_credentials(service: Simulator) -> None:
    client = HttpClient(Egress(), proxy=Secret(service.url.replace("://", "://canary-user:canary-password@")))
    for _ in range(2):
        assert (await client.request("POST", "http://target.example:8080/x", body=b"hello")).status == 200
    await client.close()
    expected = base64.b64encode(b"canary-user:canary-password").decode()
    for request in service.requests:
        assert request.headers["Host"] == "target.example:8080"
        assert request.path == "http://target.example:8080/x"
        assert request.headers["Proxy-Authorization"] == f"Basic {expected}"


async def test_the_proxys_own_address_is_judged(service: Simulator) -> None:
    client = HttpClient(Egress(deny_private=True), proxy=service.url)
    with pytest.raises(Retryable) as caught:
        await client.request("POST", "http://target.example/x")
    await client.close()
    assert caught.value.reason is FailureReason.EGRESS_DENIED
    assert service.requests == []


async def test_a_proxy_that_refuses_the_tunnel_is_a_network_failure() -> None:
    asked: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    async with serving(refuse) as port:
        client = HttpClient(Egress(), proxy=f"http://canary-user:canary-password@127.0.0.1:{port}")
        with pytest.raises(Retryable) as caught:
            await client.request("POST", "https://target.example/canary-path")
        await client.close()
    expected = base64.b64encode(b"canary-user:canary-password")
    assert b"CONNECT target.example:443 HTTP/1.1" in asked[0]
    assert b"Proxy-Authorization: Basic " + expected in asked[0]
    assert b"canary-path" not in asked[0]
    assert caught.value.reason is FailureReason.NETWORK
    assert "407" in caught.value.detail
    assert_no_secret(CANARIES, caught.value)


async def test_a_proxy_that_is_away_is_surely_not_sent() -> None:
    async with Simulator() as gone:
        url = gone.url
    client = HttpClient(Egress(), proxy=url.replace("://", "://canary-user:canary-password@"))
    with pytest.raises(Retryable) as caught:
        await client.request("POST", "http://target.example/canary-path")
    await client.close()
    assert caught.value.reason is FailureReason.NETWORK
    assert not caught.value.unknown
    assert_no_secret(CANARIES, caught.value)


async def test_a_closed_client_sends_nothing_more(service: Simulator) -> None:
    client = HttpClient(Egress())
    await client.request("POST", service.url)
    await client.close()
    with pytest.raises(Retryable) as caught:
        await client.request("POST", service.url)
    assert caught.value.reason is FailureReason.BUSY
    assert len(service.requests) == 1


async def test_a_cancelled_request_leaves_the_client_usable(client: HttpClient, service: Simulator) -> None:
    service.hang()
    task = asyncio.create_task(client.request("POST", service.url))
    await service.arrived()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await client.request("POST", service.url)).status == 200


async def test_no_proxy_of_the_environment_is_used(service: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    client = HttpClient(Egress())
    assert (await client.request("POST", service.url)).status == 200
    await client.close()
