"""A real mail server (aiosmtpd) on a port of its own, with STARTTLS, AUTH and scripted replies."""

from __future__ import annotations

import asyncio
import atexit
import re
import shutil
import ssl
import tempfile
import warnings
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from functools import cache
from html.parser import HTMLParser
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.simulators.server import Told

_OK = "250 2.0.0 OK: queued as 4XyZ"

_SIGNS = x509.KeyUsage(
    digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
)  # fmt: skip


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of the test's own and a server's certificate under it."""

    ca_file: Path
    chain_file: Path

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain_file)
        return context


@dataclass(frozen=True)
class Mail:
    """One accepted mail: its envelope, its bytes, and whether it came encrypted and authenticated."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
    encrypted: bool
    user: str

    @property
    def parsed(self) -> EmailMessage:
        parsed = message_from_bytes(self.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    def part(self, kind: str) -> str:
        """The text of the part of that subtype (`plain`, `html`); empty if there is none."""
        for part in self.parsed.walk():
            if part.get_content_subtype() == kind and part.get_content_maintype() == "text":
                return str(part.get_content()).replace("\r\n", "\n")
        return ""


class MailServer:
    """Use as `async with MailServer() as server:`; `smarthost` is what the channel is pointed at.

    `reply` scripts answers. `lose` is how many connections are dropped after the mail was read and kept, `mute`
    the command (`EHLO`, `RCPT`, `DATA`, `QUIT`) that is never answered.
    """

    def __init__(
        self, *, tls: str = "none", user: str = "", password: str = "", certificate: Certificates | None = None
    ) -> None:
        self.mails: list[Mail] = []
        self.replies: dict[str, deque[str]] = {}
        self.lose = 0
        self.mute = ""
        self.offered: list[str] = []
        self.greeted: list[str] = []
        self.authentications = 0
        self._tls = tls
        self._login = (user, password)
        self._certificates = certificate or certificates()
        self._server: asyncio.Server | None = None
        self._sessions: set[SMTP] = set()

    async def __aenter__(self) -> Self:
        context = self._certificates.server_context()
        self._server = await asyncio.get_running_loop().create_server(
            lambda: self._conversation(context),
            host="127.0.0.1",
            port=0,
            ssl=context if self._tls == "implicit" else None,
        )
        return self

    async def __aexit__(self, *_exc: object) -> None:
        assert self._server is not None
        self._server.close()
        for conversation in self._sessions:
            if conversation.transport is not None:
                conversation.transport.abort()
        await self._server.wait_closed()

    @property
    def smarthost(self) -> str:
        assert self._server is not None
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def url(self) -> str:
        return self.smarthost

    @property
    def ca_file(self) -> Path:
        return certificates().ca_file

    def reply(self, to: str, *answers: str) -> None:
        """What the next ones are told, each once: `to` is a recipient's address, `data` for a mail, `mail` for a sender."""
        self.replies.setdefault(to, deque()).extend(answers)

    def told(self) -> list[Told]:
        return [_told(mail) for mail in self.mails]

    def _conversation(self, context: ssl.SSLContext) -> SMTP:
        with_login = bool(self._login[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # aiosmtpd warns of AUTH without STARTTLS; some tests mean it
            conversation = SMTP(
                self,
                hostname="mail.example.com",
                tls_context=context if self._tls == "starttls" else None,
                require_starttls=self._tls == "starttls",
                authenticator=self._authenticate if with_login else None,
                auth_required=with_login,
                auth_require_tls=self._tls == "starttls",
                auth_exclude_mechanism=() if with_login else ("LOGIN", "PLAIN"),
                loop=asyncio.get_running_loop(),
            )
        self._sessions.add(conversation)
        return conversation

    def _authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, _kind: str, data: Any) -> AuthResult:
        self.authentications += 1
        assert isinstance(data, LoginPassword)
        good = (data.login.decode(), data.password.decode()) == self._login
        return AuthResult(success=good, handled=good, auth_data=data)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self._scripted("mail"):
            return answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await self._perhaps_mute("RCPT")
        self.offered.append(address)
        if answer := self._scripted(address):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if answer := self._scripted("data"):
            return answer
        assert isinstance(envelope.content, bytes)
        assert envelope.mail_from is not None
        encrypted = session.ssl is not None or self._tls == "implicit"
        user = session.auth_data.login.decode() if session.authenticated else ""
        self.mails.append(Mail(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, encrypted, user))
        if self.lose:
            self.lose -= 1
            assert server.transport is not None
            server.transport.abort()
        await self._perhaps_mute("DATA")
        return _OK

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        await self._perhaps_mute("EHLO")
        session.host_name = hostname
        self.greeted.append(hostname)
        return responses

    async def handle_QUIT(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        await self._perhaps_mute("QUIT")
        return "221 Bye"

    async def _perhaps_mute(self, command: str) -> None:
        if self.mute == command:
            await asyncio.Event().wait()

    def _scripted(self, what: str) -> str:
        waiting = self.replies.get(what)
        return waiting.popleft() if waiting else ""


_HEADERS = frozenset(
    {
        "from", "to", "subject", "date", "message-id", "in-reply-to", "references", "auto-submitted",
        "x-auto-response-suppress", "mime-version", "content-type", "content-transfer-encoding",
    }
)  # fmt: skip
_TAGS = frozenset({"html", "head", "meta", "title", "body", "table", "tr", "td", "h1", "div", "p", "span", "a"})


class _Seen(HTMLParser):
    """Collects what a mail program would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.active: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.active.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith("on") or name == "src":
                self.active.append(f"{tag} {name}={value}")
            if name == "href" and not (value or "").startswith("http://prometheus.example:9090/"):
                self.active.append(f"{tag} {name}={value}")
            if name == "style" and re.search(r"url|expression|import", value or ""):
                self.active.append(f"{tag} {name}={value}")


def _told(mail: Mail) -> Told:
    seen = _Seen()
    seen.feed(mail.part("html"))
    strange = [name for name in mail.parsed.keys() if name.lower() not in _HEADERS]  # noqa: SIM118 - keeps duplicates
    text = f"{mail.parsed['Subject']}\n{mail.part('plain')}"
    return Told(text, tuple(seen.active + strange))


@cache
def certificates(authority: str = "Test authority", name: str = "127.0.0.1") -> Certificates:
    """Made once a run. Different authorities do not trust each other; `name` is whom the server's certificate names."""
    folder = Path(tempfile.mkdtemp(prefix="alertbridge-test-ca-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority_key, root = _authority(authority)
    key = ec.generate_private_key(ec.SECP256R1())
    named: x509.GeneralName = x509.IPAddress(IPv4Address(name)) if name[0].isdigit() else x509.DNSName(name)
    issued_by = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    server = (
        _draft(_name("mail.example.com"), root.subject, key)
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(issued_by, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = Certificates(folder / "ca.pem", folder / "server.pem")
    made.ca_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.chain_file.write_bytes(secret + server.public_bytes(serialization.Encoding.PEM))
    return made


@cache
def _authority(common_name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _draft(_name(common_name), _name(common_name), key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _draft(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
    )
