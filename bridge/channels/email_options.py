"""The options of the `email` channel, judged when the configuration is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.headerregistry import Address
from email.utils import getaddresses
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from bridge.channels.api import ChannelOptions, Reason, Secret

_HEADER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,75}")
_OURS = frozenset(
    {
        "from", "sender", "to", "cc", "bcc", "subject", "date", "message-id", "in-reply-to", "references",
        "mime-version", "auto-submitted", "x-auto-response-suppress", "return-path", "received", "dkim-signature",
    }
)  # fmt: skip
_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


def threads(options: ChannelOptions, reason: Reason) -> bool:
    """Whether a thread is told of this that only follows what was mailed: unless the operator's own `send_on` leaves it out."""
    return "send_on" not in options.model_fields_set or reason in options.send_on


def address_of(text: str) -> Address:
    """One address, with or without a display name: `Bridge <alerts@example.com>`.

    A domain outside ASCII becomes its IDNA form.

    Raises:
        ValueError: no address, more than one, or one that plain SMTP cannot carry.
    """
    found = getaddresses([text])
    if len(found) != 1 or not text.isprintable() or found[0][1].count("@") != 1:
        raise ValueError(f"{text!r} is no mail address; write it like ops@example.com")
    display, spec = found[0]
    local, domain = spec.split("@")
    if not local.isascii():
        raise ValueError(f"{text!r}: a local part outside ASCII needs SMTPUTF8, which is not supported")
    try:
        return Address(display, local, domain.encode("idna").decode("ascii").lower())
    except (ValueError, IndexError) as error:
        raise ValueError(f"{text!r} is no mail address; write it like ops@example.com") from error


def _address_text(text: str) -> str:
    address_of(text)
    return text


def _several(value: object) -> object:
    return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value


AddressText = Annotated[str, AfterValidator(_address_text)]


class EmailOptions(ChannelOptions):
    """Where to hand mail in, and from whom to whom."""

    smarthost: str = Field(description="the mail server, host:port; the port defaults to 587, 465 or 25 by tls")
    from_: AddressText = Field(alias="from")
    to: Annotated[tuple[AddressText, ...], BeforeValidator(_several)] = Field(min_length=1, max_length=100)
    username: str | None = None
    password: Secret | None = None
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    ca_file: Path | None = Field(None, description="trusts these certificates instead of the system's")
    helo: str | None = Field(None, pattern=r"^[A-Za-z0-9.:\[\]-]{1,255}$", description="the name we greet with")
    headers: Mapping[str, str] = Field(default_factory=dict, description="further headers of every mail")

    @field_validator("headers")
    @classmethod
    def _headers(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        for name, value in headers.items():
            if _HEADER_NAME.fullmatch(name) is None:
                raise ValueError(f"{name!r} is no header name")
            if name.lower() in _OURS or name.lower().startswith("content-"):
                raise ValueError(f"the header {name} is set by the channel itself")
            if not value.isprintable():
                raise ValueError(f"the header {name} must be one line without control characters")
        return headers

    @model_validator(mode="after")
    def _whole(self) -> Self:
        host, _port = self.server()
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password come together")
        if self.password is not None and self.tls == "none" and not _is_loopback(host):
            raise ValueError("a password is not sent in the clear: use tls: starttls or implicit")
        return self

    def server(self) -> tuple[str, int]:
        """Host (an IPv6 address without its brackets) and port.

        Raises:
            ValueError: the smarthost has another form.
        """
        match = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::(\d{1,5}))?", self.smarthost)
        port = int(match[3] or _PORTS[self.tls]) if match else 0
        if match is None or not 0 < port < 65536:
            raise ValueError(f"smarthost {self.smarthost!r} is not host:port, such as smtp.example.com:587")
        return match[1] or match[2], port


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
