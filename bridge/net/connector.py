"""Connections: aiohttp's pool with its TLS and its way through proxies, under our rules for where they may go."""

from __future__ import annotations

import asyncio
from functools import cached_property, lru_cache
from ssl import SSLContext

from aiohttp import ClientRequest, ClientTimeout, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ConnectionKey
from aiohttp.connector import Connection
from multidict import CIMultiDict
from yarl import URL

from bridge.net.egress import SocketFactory

_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 15.0


class Destination(ClientRequest):
    """What aiohttp's connector asks a request for: where to, and over which proxy. One serves all requests of a URL.

    To be made in the event loop.
    """

    def __init__(self, url: URL, proxy: URL | None, shown_to_proxy: dict[str, str]) -> None:
        headers = None if proxy is None else CIMultiDict(shown_to_proxy)
        super().__init__("POST", url, loop=asyncio.get_running_loop(), proxy=proxy, proxy_headers=headers)

    @cached_property
    def connection_key(self) -> ConnectionKey:
        return super().connection_key


class Pool:
    """Keep-alive connections that one set of egress rules allows. Their number is bounded by who sends, not here."""

    def __init__(self, resolver: AbstractResolver, sockets: SocketFactory, ssl_context: SSLContext | None) -> None:
        self._connector = TCPConnector(
            limit=0,  # bounded by every channel's max_in_flight
            keepalive_timeout=_IDLE_SECONDS,
            resolver=resolver,
            socket_factory=sockets,
            ssl=ssl_context or True,
        )

    async def connect(self, destination: Destination, seconds: float) -> tuple[Connection, ResponseHandler]:
        """A connection on which nothing is under way, from the pool or new; it belongs to the caller until released.

        Raises:
            ClientError, OSError: there is none to be had; nothing was sent.
        """
        while True:
            connection = await self._connector.connect(destination, [], _limits(seconds))
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection, protocol
            connection.close()  # a service that goes on talking while nobody asks would answer the next one's question

    async def close(self) -> None:
        await self._connector.close()


@lru_cache(maxsize=256)
def _limits(seconds: float) -> ClientTimeout:
    return ClientTimeout(total=seconds, connect=_CONNECT_SECONDS)
