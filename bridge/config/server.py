"""The bridge itself: where it listens, where it stores, what it logs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bridge.channels.endpoints import WebAddress
from bridge.config.values import BaseUrl, Listen, Section, Size
from bridge.domain.options import Duration
from bridge.domain.secret import PlainAllowed, Secret


class TlsSettings(Section):
    """The listener's certificate. The files are read again when they change."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = Field(default=None, description="asks for client certificates of this authority")


class ServerSettings(Section):
    """The HTTP side. The limits bound what one sender can take from the others."""

    listen: Listen = Listen("127.0.0.1", 9099)
    external_url: BaseUrl | None = Field(
        default=None, description="what links begin with; its path is the route prefix"
    )
    tls: TlsSettings | None = None
    max_body: Size = Field(default=10 * 2**20, ge=1024, le=2**30, description="largest request body")
    observe: Listen | None = Field(default=None, description="second listener with health and metrics alone")
    max_connections: int = Field(default=2000, ge=1, le=100_000)
    body_memory: Size = Field(
        default=256 * 2**20, ge=2**20, description="what all large requests in hand may need together; then 503"
    )
    header_timeout: Duration = Field(
        default=timedelta(seconds=15), description="for an idle or slow connection's headers"
    )
    body_timeout: Duration = Field(default=timedelta(seconds=15), description="for a request's whole body")
    accept_timeout: Duration = Field(
        default=timedelta(seconds=8), description="for the commit; then 503 and the sender tries again"
    )
    drain_timeout: Duration = Field(
        default=timedelta(seconds=20), description="for what is in hand when the bridge is stopped"
    )

    @property
    def url(self) -> str:
        """`external_url`, or what the listener's address gives, without a trailing slash."""
        if self.external_url is not None:
            return self.external_url
        host = self.listen.host if self.listen.host not in {"", "0.0.0.0", "::"} else "127.0.0.1"  # noqa: S104 - compared, not bound
        return f"{'https' if self.tls else 'http'}://{Listen(host, self.listen.port)}"


class StorageSettings(Section):
    """Where the truth is kept."""

    url: Annotated[Secret, PlainAllowed()] = Secret("sqlite:var/bridge.db")
    retention: Duration = Field(
        default=timedelta(days=90), description="how long ended incidents and audit records are kept"
    )


class SecretsSettings(Section):
    """How sealed texts are opened, and what they are bound to."""

    keyring: Path = Path("var/keyring.json")
    environment: str = Field(
        default="default", min_length=1, description="staging's sealed texts do not open in production"
    )
    public_keys: Path | None = Field(default=None, description="written by keygen, committed; all that sealing needs")
    allow_plaintext: bool = False


class WatchSettings(Section):
    """The heartbeat that somebody outside listens for. A URL whose path is a token is a secret."""

    heartbeat_url: WebAddress | None = Field(default=None, description="asked for while the bridge is well")
    every: Duration = Field(default=timedelta(minutes=1), ge=timedelta(seconds=1), description="between heartbeats")
    timeout: Duration = Field(default=timedelta(seconds=10), gt=timedelta(), le=timedelta(minutes=1))


class LogSettings(Section):
    format: Literal["console", "json"] | None = Field(
        default=None, description="console on a terminal, json elsewhere, if absent"
    )
    level: Literal["debug", "info", "warning", "error"] = "info"
