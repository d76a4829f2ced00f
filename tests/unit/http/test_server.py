"""What holds for every request: names, problems, listeners, health pages, TLS that follows its files."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.domain.errors import ConfigError
from bridge.engine.views import Health, Trouble
from bridge.http.access import Access
from bridge.http.application import observe_application
from bridge.http.limits import Limits
from bridge.http.pace import FailurePace
from bridge.http.server import Listener
from bridge.http.tls import ServerTls, TlsFiles
from bridge.observe.logs import REQUEST_ID
from tests.unit.http.running import Answer, exchange, post, running, wire


def get(path: str, *headers: str) -> bytes:
    return post(path, b"", *headers, method="GET")


async def test_a_bug_is_500_with_an_id_and_without_its_text(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: web.Request) -> web.Response:
        raise RuntimeError("hunter2")

    async with running(routes=lambda app: app.router.add_get("/broken", broken) and None) as bridge:
        answer = await exchange(bridge.port, get("/broken"))
        assert answer.status == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert b"hunter2" not in answer.body
        assert answer.document["request_id"] == answer.headers["x-request-id"]


async def test_a_handler_knows_the_id_that_its_answer_carries() -> None:
    async def tell(_request: web.Request) -> web.Response:
        return web.Response(text=REQUEST_ID.get())

    async with running(routes=lambda app: app.router.add_get("/id", tell) and None) as bridge:
        first, second = [await exchange(bridge.port, get("/id")) for _ in range(2)]
        assert first.body.decode() == first.headers["x-request-id"]
        assert first.body != second.body
        assert first.headers["server"] == "alertbridge"


async def test_what_is_not_there_is_a_problem() -> None:
    async with running() as bridge:
        answer = await exchange(bridge.port, get("/nothing/hunter2?hunter2"))
        assert (answer.status, answer.document["title"]) == (404, "Not Found")
        assert b"hunter2" not in answer.body
        answer = await exchange(bridge.port, post("/api/v1/audit"))
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


async def test_requests_on_one_connection_are_answered_in_order() -> None:
    async with running() as bridge, wire(bridge.port) as connection:
        await connection.send(post() + get("/-/healthy") + post("/webhook/nobody") + post())
        assert [(await connection.answer()).status for _ in range(4)] == [200, 200, 404, 200]
        assert len(bridge.intake.kept) == 2


async def test_health_pages_answer_as_prometheus_does() -> None:
    async with running() as bridge:
        assert (await exchange(bridge.port, get("/-/healthy"))).status == 200
        answer = await exchange(bridge.port, get("/metrics"))
        assert answer.headers["content-type"].startswith("text/plain; version=")
        assert b'alertbridge_incidents{state="open"} 3.0' in answer.body
        assert b"alertmanager_build_info{" in answer.body
        answer = await exchange(bridge.port, post("/-/reload", b""))
        assert (answer.status, answer.body) == (200, b"")
        assert (await exchange(bridge.port, get("/-/reload"))).status == 405


async def test_readiness_is_for_everybody_and_its_reasons_for_viewers() -> None:
    troubles = (Trouble("channel_parked", "team-slack", "its secret does not open"),)
    async with running() as bridge:
        bridge.state.state = Health(ready=True, troubles=troubles)
        answer = await exchange(bridge.port, get("/-/ready"))
        assert (answer.status, len(answer.document["troubles"])) == (200, 1)  # type: ignore[arg-type]
        bridge.gate.access = Access()
        answer = await exchange(bridge.port, get("/-/ready"))
        assert answer.document == {"ready": True, "troubles": []}
        bridge.state.state = Health(ready=False, troubles=troubles)
        assert (await exchange(bridge.port, get("/-/ready"))).status == 503
        assert (await exchange(bridge.port, get("/metrics"))).status == 401


async def test_a_reload_that_failed_is_500_and_says_why() -> None:
    async def reload() -> Sequence[str]:
        return ["team.yml:3:1: unknown key"]

    async with running(reload=reload) as bridge:
        answer = await exchange(bridge.port, post("/-/reload", b""))
        assert answer.status == 500
        assert answer.document["problems"] == ["team.yml:3:1: unknown key"]


async def test_the_second_listener_has_health_and_metrics_alone_for_everybody() -> None:
    async with running(access=Access()) as bridge:
        app = observe_application(state=bridge.state, metrics=bridge.metrics, gate=bridge.gate)
        listener = Listener(app, limits=Limits(), drain_seconds=0.1)
        await listener.start("127.0.0.1", 0)
        try:
            bridge.state.state = Health(ready=True, troubles=(Trouble("file_refused", "a.yml", ""),))
            for path in ("/-/healthy", "/metrics"):
                assert (await exchange(listener.port, get(path, "X-Forwarded-For: 1.2.3.4"))).status == 200
            assert b"a.yml" in (await exchange(listener.port, get("/-/ready"))).body
            for path in ("/api/v1/incidents", "/webhook", "/openapi.json"):
                assert (await exchange(listener.port, get(path))).status == 404
            assert (await exchange(listener.port, post("/-/reload"))).status == 404
        finally:
            await listener.stop()


async def test_stopping_lets_a_running_request_end() -> None:
    async with running() as bridge, wire(port := bridge.port) as connection:
        bridge.intake.wait = asyncio.Event()
        await connection.send(post())
        await asyncio.sleep(0.05)
        stopping = asyncio.create_task(bridge.listener.stop())
        await asyncio.sleep(0.05)
        bridge.intake.wait.set()
        assert (await connection.answer()).status == 200
        await stopping
        with pytest.raises(OSError, match="Connect"):
            await asyncio.open_connection("127.0.0.1", port)


def test_free_failures_come_back_with_time_and_are_counted_by_address() -> None:
    now = 0.0
    pace = FailurePace(Limits(free_failures=3, failure_refill=10, failure_delay=1.5), lambda: now)
    assert [pace.failed("a") for _ in range(4)] == [0, 0, 0, 1.5]
    assert pace.failed("b") == 0
    now = 20.0
    assert [pace.failed("a") for _ in range(2)] == [0, 1.5]
    for number in range(5000):
        pace.failed(f"10.0.0.{number}")
    assert pace.failed("a") == 0, "forgotten: the table is bounded"


class Authority:
    """Makes certificates for 127.0.0.1."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key.public_key(), authority=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        signed_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=authority,
            crl_sign=authority,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(names, critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(signed_by, critical=False)  # Python 3.13 insists on it, and on the usage
            .add_extension(usage, critical=True)
        )
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, name: str) -> tuple[Path, Path]:
        """Certificate and key, in files that are replaced as Kubernetes does."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), authority=False)
        pem = serialization.Encoding.PEM
        key_bytes = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        paths = (self.folder / "tls.crt", self.folder / "tls.key") if name.startswith("server") else (
            self.folder / f"{name}.crt", self.folder / f"{name}.key"
        )  # fmt: skip
        for path, content in zip(paths, (certificate.public_bytes(pem), key_bytes), strict=True):
            fresh = path.with_suffix(".new")
            fresh.write_bytes(content)
            fresh.replace(path)
        return paths


async def over_tls(port: int, authority: Authority, client: tuple[Path, Path] | None = None) -> tuple[Answer, str]:
    """The answer to a webhook, and the common name of the certificate that was shown."""
    context = ssl.create_default_context(cafile=str(authority.file))
    if client is not None:
        context.load_cert_chain(*client)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    certificate = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(binary_form=True))
    writer.write(post("/webhook", post().partition(b"\r\n\r\n")[2], "Connection: close"))
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.transport.abort()
    name = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return Answer(int(head.split()[1]), {}, body), str(name)


async def test_the_certificate_follows_its_files_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ours")
    cert, key = authority.issue("server-1")
    tls = ServerTls(TlsFiles(cert, key), check_seconds=0)
    async with running(tls=tls) as bridge:
        answer, name = await over_tls(bridge.port, authority)
        assert (answer.status, name) == (200, "server-1")
        authority.issue("server-2")
        assert (await over_tls(bridge.port, authority))[1] == "server-2"
        cert.write_text("broken")
        assert (await over_tls(bridge.port, authority))[1] == "server-2"
        key.unlink()
        assert (await over_tls(bridge.port, authority))[1] == "server-2"
        authority.issue("server-3")
        assert (await over_tls(bridge.port, authority))[1] == "server-3"


async def test_with_a_client_authority_webhooks_need_a_certificate_of_it(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    clients = tmp_path / "clients.pem"
    clients.write_bytes(ours.file.read_bytes())
    tls = ServerTls(TlsFiles(*ours.issue("server"), client_ca=clients), check_seconds=0)
    friend, stranger = ours.issue("friend"), theirs.issue("stranger")
    async with running(tls=tls, client_certificates=True) as bridge:
        without = (await over_tls(bridge.port, ours))[0]
        assert (without.status, without.document["detail"]) == (401, "a client certificate is needed")
        for welcome, refused in ((friend, stranger), (stranger, friend)):
            assert (await over_tls(bridge.port, ours, welcome))[0].status == 200
            with pytest.raises((ssl.SSLError, ConnectionError, IndexError)):
                await over_tls(bridge.port, ours, refused)
            theirs.file.replace(clients)
            theirs.file.write_bytes(clients.read_bytes())
        assert len(bridge.intake.kept) == 2


def test_a_certificate_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"server\.tls"):
        ServerTls(TlsFiles(tmp_path / "no.crt", tmp_path / "no.key"))
