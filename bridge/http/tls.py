"""The listener's certificate, read again when its files change.

Each handshake takes the newest context, through the callback OpenSSL offers for server names. A change that does not
load is logged and the old certificate stays. Sessions are not resumed, so a new client authority holds at once.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from bridge.domain.errors import ConfigError
from bridge.observe.logs import get_logger

_log = get_logger("tls")

_Stamp = tuple[tuple[int, int, int], ...]


class TlsFiles(Struct, frozen=True):
    """Where the certificate is; `client_ca` is the authority whose client certificates are asked for."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def stamp(self) -> _Stamp:
        """Changes whenever a file does. Symbolic links are followed: Kubernetes swaps them."""
        paths = [path for path in (self.cert, self.key, self.client_ca) if path is not None]
        found = [path.stat() for path in paths]
        return tuple((stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in found)


class ServerTls:
    """Holds the context to listen with. `check_seconds` is how often the files are looked at, at most."""

    def __init__(
        self, files: TlsFiles, check_seconds: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._files = files
        self._check_seconds = check_seconds
        self._clock = clock
        self._checked_at = clock()
        try:
            self._stamp = files.stamp()
            self._current = _context(files)
            self.context = _context(files)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"server.tls: the certificate cannot be used: {error}") from error
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _first: ssl.SSLContext) -> None:
        self._reload_if_changed()
        connection.context = self._current

    def _reload_if_changed(self) -> None:
        now = self._clock()
        if now - self._checked_at < self._check_seconds:
            return
        self._checked_at = now
        try:
            stamp = self._files.stamp()
            if stamp != self._stamp:
                self._current = _context(self._files)
                self._stamp = stamp
                _log.info("certificate reloaded")
        except (OSError, ssl.SSLError) as error:
            _log.error("certificate not reloaded; the old one stays", error=str(error))


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    context.load_cert_chain(files.cert, files.key)
    if files.client_ca is not None:
        context.load_verify_locations(files.client_ca)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
