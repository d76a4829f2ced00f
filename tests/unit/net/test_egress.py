from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from ipaddress import IPv4Network, IPv6Network, ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from bridge.domain.errors import ChannelError, FailureReason, Retryable
from bridge.net import Egress, HttpClient
from tests.simulators.raw import serving

LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))


class Everything(AbstractResolver):
    """Resolves every name to the same addresses: whatever spelling reaches a lookup ends at the listener."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses or ("127.0.0.1",)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self._addresses
        ]

    async def close(self) -> None:
        pass


class Listener:
    """Counts connections on loopback, over IPv4 and IPv6, and answers each request."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    found = Listener()
    async with AsyncExitStack() as open_:
        found.port = await open_.enter_async_context(serving(found.serve))
        if socket.has_dualstack_ipv6():
            await open_.enter_async_context(serving(found.serve, host="::1", port=found.port))
        yield found


SPELLINGS = (
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost.localdomain",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0x0.0x0.0x1",
    "0x7f.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "017700000001",
    "127.0.0.1%00.example.com",
    "127%2e0%2e0%2e1",
    "%6c%6f%63%61%6c%68%6f%73%74",
    "１２７.0.0.1",
    "127。0。0。1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "example.com@127.0.0.1",
    "0.0.0.0",
    "0",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[2002:7f00:1::]",
    "[::1%25lo]",
    "an-honest-name.example.com",
)


@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_loopback_is_connected_to_when_private_is_denied(listener: Listener, host: str) -> None:
    client = HttpClient(Egress(deny_private=True), resolver=Everything())
    try:
        with pytest.raises(ChannelError):
            await client.request("POST", f"http://{host}:{listener.port}/", timeout=2.0)
    finally:
        await client.close()
    assert listener.connections == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "an-honest-name.example.com"])
async def test_the_same_spellings_do_reach_the_listener_when_nothing_is_denied(listener: Listener, host: str) -> None:
    client = HttpClient(Egress(), resolver=Everything())
    try:
        response = await client.request("POST", f"http://{host}:{listener.port}/", timeout=2.0)
    finally:
        await client.close()
    assert response.status == 200
    assert listener.connections == 1


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fe80::1", "fd00:ec2::254", "224.0.0.1", "255.255.255.255", "0.0.0.0", "::"]
)
async def test_a_name_that_resolves_to_metadata_is_refused_whatever_is_allowed(address: str) -> None:
    everywhere = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
    client = HttpClient(Egress(allow=everywhere), resolver=Everything(address))
    try:
        with pytest.raises(Retryable) as caught:
            await client.request("POST", "http://metadata.example/", allow=everywhere)
    finally:
        await client.close()
    assert caught.value.reason is FailureReason.EGRESS_DENIED
    assert not caught.value.unknown


async def test_several_denied_addresses_of_one_name_are_still_a_denial(listener: Listener) -> None:
    client = HttpClient(Egress(deny_private=True), resolver=Everything("127.0.0.1", "::1", "10.0.0.1"))
    try:
        with pytest.raises(Retryable) as caught:
            await client.request("POST", f"http://many.example:{listener.port}/")
    finally:
        await client.close()
    assert caught.value.reason is FailureReason.EGRESS_DENIED
    assert listener.connections == 0


async def test_a_channels_own_allowance_wins_over_private_for_it_alone(listener: Listener) -> None:
    """The connection it opened stays in the pool and must not serve a caller without the allowance."""
    client = HttpClient(Egress(deny_private=True))
    url = f"http://127.0.0.1:{listener.port}/"
    try:
        for _ in range(2):
            await client.request("POST", url, allow=LOOPBACK)
        with pytest.raises(Retryable) as caught:
            await client.request("POST", url)
    finally:
        await client.close()
    assert caught.value.reason is FailureReason.EGRESS_DENIED
    assert listener.connections == 1


@pytest.mark.parametrize(
    "address",
    [
        "169.254.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "224.0.0.251",
        "239.255.255.255",
        "ff02::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "240.0.0.1",
        "255.255.255.255",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2001:0:1::1",
        "::ffff:0:a9fe:a9fe",
        "not an address",
        "",
    ],
)
def test_these_are_never_connected_to(address: str) -> None:
    everywhere = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
    assert Egress(allow=everywhere).objection(address, everywhere) is not None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "fec0::1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "::1%lo",
        "fd12:3456::1%eth0",
    ],
)
def test_private_addresses_are_denied_only_when_private_is(address: str) -> None:
    assert Egress().objection(address) is None
    assert Egress(deny_private=True).objection(address) is not None


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "172.32.0.1",
        "172.15.255.255",
        "192.167.255.255",
        "100.63.255.255",
        "100.128.0.1",
        "2606:4700::1",
        "64:ff9b::808:808",
        "::ffff:8.8.8.8",
        "2001:4860:4860::8888",
    ],
)
def test_public_addresses_are_not_private(address: str) -> None:
    assert Egress(deny_private=True).objection(address) is None


@pytest.mark.parametrize(
    ("allow", "deny", "address", "open_"),
    [
        (["10.0.0.0/8"], [], "10.1.2.3", True),
        (["10.0.0.0/8"], ["10.1.0.0/16"], "10.1.2.3", False),
        (["10.1.2.0/24"], ["10.1.0.0/16"], "10.1.2.3", True),
        (["10.0.0.0/8"], ["10.0.0.0/8"], "10.1.2.3", False),
        (["8.8.8.0/24"], ["0.0.0.0/0"], "8.8.8.8", True),
        (["8.8.8.0/24"], ["0.0.0.0/0"], "9.9.9.9", False),
        (["10.0.0.0/8"], [], "192.168.1.1", False),
        ([], ["2606:4700::/32"], "2606:4700::1", False),
    ],
)
def test_the_longest_network_decides_and_private_is_the_shortest(
    allow: list[str], deny: list[str], address: str, *, open_: bool
) -> None:
    egress = Egress(tuple(map(ip_network, allow)), tuple(map(ip_network, deny)), deny_private=True)
    assert (egress.objection(address) is None) == open_
