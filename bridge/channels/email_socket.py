"""The connection to a mail server, under the same egress rules as every HTTP request."""

from __future__ import annotations

import asyncio
import socket

from bridge.domain.errors import FailureReason, Retryable
from bridge.net import HttpClient
from bridge.net.egress import EgressDenied


async def open_socket(http: HttpClient, host: str, port: int) -> socket.socket:
    """A connected, non-blocking socket to the first address of `host` that answers and may be connected to.

    Every address is judged itself, when its socket is made. The caller closes the socket.

    Raises:
        Retryable: the name is not resolved, no address may be connected to, or none answers.
    """
    loop = asyncio.get_running_loop()
    try:
        addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Retryable(FailureReason.DNS, f"the name of {host}:{port} was not resolved") from error
    make = http.egress.socket_factory()
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return await _connected(make(address), address[4])
        except OSError as error:
            failure = error
    raise _failure(failure, f"{host}:{port}") from failure


async def _connected(connection: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


def _failure(error: OSError, where: str) -> Retryable:
    if isinstance(error, EgressDenied):
        return Retryable(FailureReason.EGRESS_DENIED, f"not connecting to {where}: {error.strerror}")
    return Retryable(FailureReason.NETWORK, f"connecting to {where}: {error.strerror or 'failed'}")
