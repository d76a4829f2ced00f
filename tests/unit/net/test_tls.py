from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.domain.errors import ConfigError, FailureReason, Retryable
from bridge.net import Egress, HttpClient, Response, client_tls
from tests.simulators.raw import serving
from tests.unit.net.certificates import Authority


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def secure(certificate: Path, client_ca: Path | None = None) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=client_ca)
    context.verify_mode = ssl.CERT_REQUIRED if client_ca else ssl.CERT_NONE
    context.load_cert_chain(certificate)
    async with serving(answer, context=context) as port:
        yield f"https://127.0.0.1:{port}/hook/canary-path"


async def post(url: str, context: ssl.SSLContext | None) -> Response:
    client = HttpClient(Egress(), ssl_context=context)
    try:
        return await client.request("POST", url, timeout=30.0)
    finally:
        await client.close()


async def test_a_server_is_trusted_by_the_configured_authority(authority: Authority) -> None:
    async with secure(authority.issue("127.0.0.1")) as url:
        assert (await post(url, client_tls(ca_file=authority.file))).status == 204


@pytest.mark.parametrize(
    ("host", "expired", "trusted"),
    [("127.0.0.1", False, False), ("127.0.0.1", True, True), ("other.example", False, True)],
    ids=["unknown authority", "expired", "another host"],
)
async def test_a_server_that_cannot_be_verified_gets_nothing(
    authority: Authority, host: str, *, expired: bool, trusted: bool
) -> None:
    async with secure(authority.issue(host, expired=expired)) as url:
        with pytest.raises(Retryable) as caught:
            await post(url, client_tls(ca_file=authority.file) if trusted else None)
    assert caught.value.reason is FailureReason.TLS
    assert not caught.value.unknown
    assert "canary" not in str(caught.value)


async def test_our_own_certificate_is_shown_to_a_server_that_asks(authority: Authority) -> None:
    ours = authority.issue("bridge.example")
    async with secure(authority.issue("127.0.0.1"), client_ca=authority.file) as url:
        assert (await post(url, client_tls(authority.file, ours, ours))).status == 204
        with pytest.raises(Retryable):
            await post(url, client_tls(authority.file))


async def test_a_handshake_that_stalls_is_no_send() -> None:
    async def stall(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    client = HttpClient(Egress())
    async with serving(stall) as port:
        with pytest.raises(Retryable) as caught:
            await client.request("POST", f"https://127.0.0.1:{port}/", timeout=0.3)
    await client.close()
    assert caught.value.reason is FailureReason.TIMEOUT
    assert not caught.value.unknown


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_certificate_is_a_configuration_error(
    tmp_path: Path, option: str, content: str | None
) -> None:
    file = tmp_path / "some.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=option):
        client_tls(**{option: file})
