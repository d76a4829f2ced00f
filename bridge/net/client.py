"""The one HTTP client every channel and hook sends with.

It bounds what a service can do to us: connecting takes at most 5 s, the whole request its timeout, an answer at
most 64 KiB unless more is asked for; redirects are not followed, bodies not decompressed, TLS always verified, every
address judged by `Egress` when its socket is made. Errors are made anew outside the `except` that caught aiohttp's:
those quote the URL, which may be a credential, and would follow ours as their context.

aiohttp gives the connections and the parser. Its `ClientSession` is left out: what it does besides (cookies,
redirects, tracing, a task to write each body) takes two thirds of the time of a request, and is not wanted here.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from ssl import SSLContext

from aiohttp.abc import AbstractResolver
from aiohttp.client_exceptions import ClientError
from aiohttp.http import HttpProcessingError
from yarl import URL

from bridge.domain.errors import ChannelError, FailureReason, Refused, Retryable
from bridge.domain.secret import Secret
from bridge.net.connector import Destination, Pool
from bridge.net.deadline import Deadline
from bridge.net.egress import Egress, Network
from bridge.net.exchange import BODY_LIMIT, Exchange
from bridge.net.failure import failure_of
from bridge.net.head import OURS, Place, head_of
from bridge.net.outcome import Response
from bridge.net.resolver import ThreadedResolver

_TARGETS = 4096
_DEADLINES = 256


class _Target:
    """A URL taken apart once: `where` is what errors may say of it, `authorization` what its userinfo means."""

    __slots__ = ("authorization", "destination", "place", "url", "where")

    def __init__(self, url: URL, where: str, authorization: str) -> None:
        self.url = url
        self.where = where
        self.authorization = authorization
        self.place = Place.of(url)
        self.destination: Destination | None = None


class HttpClient:
    """Sends one request at a time for many callers over shared keep-alive connections.

    `proxy` is `http://[user:password@]host:port`; with it the proxy's address is what `egress` judges.
    `ssl_context` (see `bridge.net.tls.client_tls`) replaces aiohttp's, which trusts the system's authorities as they were
    when aiohttp was imported. Made in or out of an event loop, used in one. Close it at the end.
    """

    def __init__(
        self,
        egress: Egress,
        proxy: str | Secret | None = None,
        ssl_context: SSLContext | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._egress = egress
        self._proxy = _target(proxy) if proxy else None
        credentials = self._proxy.authorization if self._proxy else ""
        self._to_proxy = {"Proxy-Authorization": credentials} if credentials else {}
        self._ssl = ssl_context
        self._resolver = resolver
        self._pools: dict[tuple[Network, ...], Pool] = {}
        self._targets: dict[str, _Target] = {}
        self._deadline = lru_cache(_DEADLINES)(Deadline)
        self._closed = False

    @property
    def egress(self) -> Egress:
        """Where it may connect: also the rules of a channel that speaks another protocol than HTTP."""
        return self._egress

    async def request(
        self,
        method: str,
        url: str | Secret,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, Secret | str] | None = None,
        timeout: float = 15.0,  # noqa: ASYNC109 - part of the request, as in every HTTP client
        allow: tuple[Network, ...] = (),
        limit: int = BODY_LIMIT,
    ) -> Response:
        """Send and give back whatever answer came; `outcome_of` judges it.

        `timeout` is in seconds, connecting included. `allow` are the caller's own additions to the egress rules.
        `limit` is how many bytes of the answer's body are wanted.

        Raises:
            Retryable: no answer came. `unknown` unless the request surely never left.
            Refused: the URL is none, or a header cannot be sent.
        """
        text = url.reveal() if isinstance(url, Secret) else url
        target = self._targets.get(text) or self._learn(text)
        pool = self._pools.get(allow) or self._open(allow)
        exchange: Exchange | None = None
        try:
            head = head_of(method, target.place, self._headers(target, headers or {}, basic), len(body))
            exchange = Exchange(method, head, body, limit)
            destination = target.destination or self._way_to(target)
            return await exchange.run(pool, destination, timeout, self._deadline(timeout))
        except (ClientError, HttpProcessingError, OSError, ValueError) as error:
            connected = exchange is not None and exchange.connected
            failure: ChannelError = failure_of(error, target.where, connected=connected)
        raise failure

    async def close(self) -> None:
        """Close every connection. Later requests raise `Retryable`."""
        self._closed = True
        for pool in self._pools.values():
            await pool.close()
        self._pools.clear()
        if self._resolver is not None:
            await self._resolver.close()

    def _headers(
        self, target: _Target, given: Mapping[str, str], basic: tuple[str, Secret | str] | None
    ) -> Mapping[str, str]:
        added: dict[str, str] = {}
        if basic is not None:
            added["Authorization"] = basic_authorization(*basic)
        elif target.authorization and not any(name.lower() == "authorization" for name in given):
            added["Authorization"] = target.authorization
        if self._to_proxy and target.url.scheme == "http":
            added.update(self._to_proxy)  # the proxy reads the request itself; for https it only sees CONNECT
        return {**given, **added} if added else given

    def _learn(self, text: str) -> _Target:
        if len(self._targets) >= _TARGETS:  # more than any configuration names: templates make new ones
            self._targets.clear()
        target = self._targets[text] = _target(text)
        if self._proxy is not None and target.url.scheme == "http":
            target.place = Place.of(target.url, to_proxy=True)
        return target

    def _way_to(self, target: _Target) -> Destination:
        proxy = None if self._proxy is None else self._proxy.url
        target.destination = Destination(target.url, proxy, {**OURS, **self._to_proxy})
        return target.destination

    def _open(self, allow: tuple[Network, ...]) -> Pool:
        """A pool for each set of rules: a kept connection must not serve a caller who may not open it."""
        if self._closed:
            raise Retryable(FailureReason.BUSY, "shutting down")
        if self._resolver is None:
            self._resolver = ThreadedResolver()
        pool = self._pools[allow] = Pool(self._resolver, self._egress.socket_factory(allow), self._ssl)
        return pool


def basic_authorization(user: str, password: Secret | str) -> str:
    """The `Authorization` header of HTTP Basic (RFC 7617), in UTF-8."""
    text = f"{user}:{password.reveal() if isinstance(password, Secret) else password}"
    return "Basic " + b64encode(text.encode()).decode()


def _target(given: str | Secret) -> _Target:
    text = given.reveal() if isinstance(given, Secret) else given
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        url, port = URL(), None
    if url.scheme not in {"http", "https"} or not url.raw_host or port is None:
        raise Refused(FailureReason.DESTINATION_GONE, "the configured URL is not http(s)://host[:port]/…")
    authorization = basic_authorization(url.user or "", url.password or "") if url.raw_user or url.raw_password else ""
    host = f"[{url.raw_host}]" if ":" in url.raw_host else url.raw_host
    return _Target(url.with_user(None).with_fragment(None), f"{host}:{port}", authorization)
