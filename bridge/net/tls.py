"""The TLS side of outgoing connections."""

from __future__ import annotations

import ssl
from pathlib import Path

from bridge.domain.errors import ConfigError


def client_tls(
    ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """Verify servers against `ca_file` (the system's authorities without it) and show our certificate if there is one.

    Verification cannot be turned off.

    Raises:
        ConfigError: a file cannot be read or does not hold what it should.
    """
    try:
        context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    except OSError as error:
        raise ConfigError(f"http.ca_file: {ca_file} holds no readable certificates: {error.strerror}") from error
    context.set_alpn_protocols(["http/1.1"])  # as aiohttp's own context
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as error:
            raise ConfigError(f"http.cert_file: {cert_file} and its key cannot be used: {error.strerror}") from error
    return context
