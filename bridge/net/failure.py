"""aiohttp's errors in our words. Nothing here quotes an error's text: it may hold the URL."""

from __future__ import annotations

import os

from aiohttp.client_exceptions import (
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientHttpProxyError,
    ClientProxyConnectionError,
    ClientResponseError,
    ClientSSLError,
    InvalidURL,
)
from aiohttp.http import HttpProcessingError

from bridge.domain.errors import ChannelError, FailureReason, Refused, Retryable
from bridge.net.egress import EgressDenied


def failure_of(error: Exception, where: str, *, connected: bool) -> ChannelError:  # noqa: PLR0911 - one line for each kind of error
    """What a failed request means; `where` is `host:port`.

    `connected` says that there was a connection: the request may have left then, so the outcome is unknown.
    """
    match error:
        case ClientSSLError():
            return Retryable(FailureReason.TLS, f"TLS with {where} failed: {_tls_problem(error)}")
        case ClientConnectorDNSError():
            return Retryable(FailureReason.DNS, f"the name of {where} was not resolved")
        case ClientHttpProxyError():
            return Retryable(FailureReason.NETWORK, f"the proxy answered HTTP {error.status} for {where}")
        case ClientConnectorError():
            return _not_connected(error, where)
        case TimeoutError():
            missing = "answer from" if connected else "connection to"
            return Retryable(FailureReason.TIMEOUT, f"no {missing} {where} in time", unknown=connected)
        case ClientResponseError() | HttpProcessingError():
            return Retryable(FailureReason.BAD_RESPONSE, f"{where} did not answer in HTTP", unknown=connected)
        case InvalidURL():
            return Refused(FailureReason.DESTINATION_GONE, f"{where} is no address to connect to")
        case ValueError():
            return Refused(FailureReason.DESTINATION_GONE, f"a header for {where} cannot be sent: line break in it?")
        case _:
            return Retryable(FailureReason.NETWORK, f"{where} broke the connection", unknown=connected)


def _not_connected(error: ClientConnectorError, where: str) -> ChannelError:
    denied = error.os_error
    if isinstance(denied, EgressDenied):
        return Retryable(FailureReason.EGRESS_DENIED, f"not connecting to {where}: {denied.strerror}")
    who = f"the proxy for {where}" if isinstance(error, ClientProxyConnectionError) else where
    why = os.strerror(denied.errno) if denied.errno is not None and denied.errno > 0 else "failed"
    return Retryable(FailureReason.NETWORK, f"connecting to {who}: {why}")


def _tls_problem(error: ClientSSLError) -> str:
    """OpenSSL's own words for a bad certificate; they name hosts and dates only."""
    verify = getattr(getattr(error, "certificate_error", None), "verify_message", "")
    return verify or getattr(error.os_error, "reason", "") or "handshake refused"
