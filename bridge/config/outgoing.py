"""What the bridge may reach: networks, proxy, programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from bridge.config.values import Cidr, Network, Section
from bridge.domain.secret import PlainAllowed, Secret
from bridge.secrets.references import Form, form_of

_PROXIES = ("http://", "https://")


class EgressSettings(Section):
    """Where channels and hooks may connect, judged on the resolved address; `allow` wins over `deny: [private]`."""

    allow: tuple[Cidr, ...] = ()
    deny: tuple[Literal["private"] | Cidr, ...] = ()

    @property
    def deny_private(self) -> bool:
        """Whether loopback, RFC 1918, ULA and CGNAT are refused."""
        return "private" in self.deny

    @property
    def denied_networks(self) -> tuple[Network, ...]:
        return tuple(entry for entry in self.deny if not isinstance(entry, str))


class HttpSettings(Section):
    """Outgoing calls. The proxy's URL may carry a password, so it is kept as a secret."""

    proxy: Annotated[Secret, PlainAllowed()] | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @field_validator("proxy")
    @classmethod
    def _a_proxy(cls, proxy: Secret | None) -> Secret | None:
        text = "" if proxy is None else proxy.reveal()
        if text and form_of(text) is Form.PLAIN and not text.startswith(_PROXIES):
            raise ValueError("write the proxy's URL, such as http://proxy.example.com:3128, or a reference to it")
        return proxy

    @model_validator(mode="after")
    def _a_pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("cert_file and key_file belong together")
        return self


class ExecSettings(Section):
    directories: tuple[Path, ...] = Field(
        default=(), description="programs of `exec` channels must stand in one of these"
    )
