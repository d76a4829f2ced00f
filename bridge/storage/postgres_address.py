"""A PostgreSQL address: `postgresql://user:password@host,host:port/database?option=value`, as libpq has it."""

from __future__ import annotations

from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from msgspec import Struct

from bridge.domain.errors import StorageError
from bridge.domain.secret import Secret

SCHEMES = ("postgresql://", "postgres://")

_OPTIONS = frozenset(
    {
        *("host", "port", "user", "password", "passfile", "dbname", "database", "service", "servicefile"),
        *("sslmode", "sslcert", "sslkey", "sslrootcert", "sslcrl", "sslpassword", "sslnegotiation"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version", "krbsrvname", "gsslib", "target_session_attrs"),
        *("application_name", "options", "search_path"),
    }
)
"""What the driver knows. It would send anything else to the server as a setting of the session."""

_OURS = frozenset(
    {
        *("connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count"),
        *("tcp_user_timeout", "client_encoding", "fallback_application_name"),
    }
)
"""What libpq knows and the bridge decides by itself."""


class Address(Struct, frozen=True):
    """Where a database is. `dsn` may hold a password; `name` is for people, and never does."""

    dsn: Secret
    name: str
    several: bool
    """More than one host is named: whichever takes writes is meant."""


def parse_address(url: str) -> Address:
    """Read a URL. What libpq knows and the bridge decides itself (timeouts, keepalives) is left out.

    Raises:
        StorageError: it is no address of PostgreSQL; the message holds nothing of it but option names.
    """
    if not url.startswith(SCHEMES):
        raise StorageError("the database's address does not begin with postgresql://")
    try:
        parts = urlsplit(url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise StorageError("the database's address cannot be read; special characters are written as %XX") from error
    if parts.fragment:
        raise StorageError("the database's address has a `#` in it; in a password it is written as %23")
    unknown = sorted({name for name, _value in pairs} - _OPTIONS - _OURS)
    if unknown:
        raise StorageError(f"the database's address has an option that is not known: {', '.join(unknown)}")
    options = {name: value for name, value in pairs if name in _OPTIONS}
    hosts = _hosts(parts.netloc, options)
    database = unquote(parts.path.strip("/")) or options.get("dbname") or options.get("database") or ""
    named = f"{','.join(hosts)}/{database}" if hosts else database
    query = urlencode(options)
    dsn = f"{parts.scheme}://{parts.netloc}{parts.path}{'?' + query if query else ''}"
    return Address(Secret(dsn), named or "postgresql", len(hosts) > 1)


def _hosts(netloc: str, options: dict[str, str]) -> list[str]:
    """Every host with its port, without what stands before the last `@`."""
    written = netloc.rpartition("@")[2] or options.get("host", "")
    hosts = [unquote(host) for host in written.split(",") if host]
    for host in hosts:
        port = "" if host.startswith("/") or host.endswith("]") else host.rpartition(":")[2] if ":" in host else ""
        if port and not port.isdecimal():
            raise StorageError("the database's address has a port that is no number, or an unescaped `@`, `:` or `/`")
    return hosts
