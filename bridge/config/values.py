"""Single values of a configuration: sizes, addresses, networks, names."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from msgspec import Struct
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, core_schema

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SIZE = re.compile(r"(\d{1,12})\s*(|B|[kK]B|[KMG]i?B)")
_SIZE_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_SOURCE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Section(BaseModel):
    """Base of every part of a configuration: unknown keys are errors, values never change.

    Its validator is made when first used: most configurations have few of the parts.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, defer_build=True)


def parse_size(value: object) -> object:
    """`10MiB` → 10485760. KB, MB, GB are decimal, KiB, MiB, GiB binary; a bare number is bytes."""
    if not isinstance(value, str):
        return value
    match = _SIZE.fullmatch(value.strip())
    if match is None:
        raise ValueError(f"{value!r} is not a size; write it like 512KiB or 10MiB")
    return int(match[1]) * _SIZE_UNITS[match[2].replace("k", "K")]


Size = Annotated[int, BeforeValidator(parse_size, json_schema_input_type=str | int)]
"""Bytes, written as `10MiB`."""


class Listen(Struct, frozen=True):
    """Where to listen. An empty host is every address; port 0 lets the system choose."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect. A name other than `localhost` counts as reachable from outside."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, value: object) -> Listen:
        """`127.0.0.1:9099`, `[::1]:9099`, `localhost:9099`, `:9099`.

        Raises:
            ValueError: the text is none of these.
        """
        if isinstance(value, Listen):
            return value
        match = (
            re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:\s/@]*)):(\d{1,5})", value)
            if isinstance(value, str)
            else None
        )
        if match is None or int(match[3]) > 65535:
            raise ValueError("write an address as host:port, such as 127.0.0.1:9099 or [::1]:9099")
        return cls(match[1] or match[2] or "", int(match[3]))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(min_length=2)
        return core_schema.no_info_before_validator_function(
            cls.parse,
            core_schema.is_instance_schema(cls),
            json_schema_input_schema=text,
            serialization=core_schema.to_string_ser_schema(),
        )


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is not a network; write it like 10.0.0.0/8 or 2001:db8::/32 ({error})") from error


Cidr = Annotated[Network, BeforeValidator(_network, json_schema_input_type=str), WithJsonSchema({"type": "string"})]
"""A network in CIDR notation; a bare address is a network of one."""


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("write a URL such as https://alerts.example.com/path, without query or fragment")
    _ = parts.port  # a port that is no number raises ValueError
    return value.rstrip("/")


BaseUrl = Annotated[str, AfterValidator(_http_url)]
"""An http or https URL without query; a trailing slash is cut off."""


def is_source_name(name: str) -> bool:
    """Whether a source's name fits into the path `/webhook/NAME` as it stands."""
    return _SOURCE_NAME.fullmatch(name) is not None


def is_entry_name(name: str) -> bool:
    """Whether a name of a channel or credential can stand in `channels/NAME/FIELD` and in a metric's label."""
    return 0 < len(name) <= 200 and name.isprintable() and "/" not in name and name == name.strip()


def one_or_many(value: object) -> object:
    """Where a list is wanted, one value will do."""
    return value if isinstance(value, list | tuple) else (value,)
