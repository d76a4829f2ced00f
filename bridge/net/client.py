"""The one HTTP client every channel and hook sends with.

It bounds what a service can do to us: connecting takes at most 5 s, the whole request its timeout, an answer at
most 64 KiB; redirects are not followed, bodies not decompressed, TLS always verified, every address judged by
`Egress` when its socket is made. Errors are made anew outside the `except` that caught aiohttp's: those quote the
URL, which may be a credential, and would follow ours as their context.
"""

from __future__ import annotations

import asyncio
import io
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from ssl import SSLContext

from aiohttp import ClientResponse, ClientSession, ClientTimeout, DummyCookieJar
from aiohttp.abc import AbstractResolver
from aiohttp.client_exceptions import ClientError
from msgspec import Struct
from yarl import URL

from bridge.domain.errors import ChannelError, FailureReason, Refused, Retryable
from bridge.domain.secret import Secret
from bridge.net.connector import WatchedConnector, begin
from bridge.net.egress import Egress, Network
from bridge.net.failure import failure_of
from bridge.net.outcome import Response
from bridge.net.resolver import ThreadedResolver

_BODY_LIMIT = 64 * 1024
_BODY_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_IDLE_SECONDS = 15.0
_COPIED_BELOW = 1024 * 1024
_TARGETS = 4096


class _Target(Struct, frozen=True):
    """A URL taken apart once: `where` is what errors may say of it, `authorization` what its userinfo means."""

    url: URL
    where: str
    authorization: str


class HttpClient:
    """Sends one request at a time for many callers over shared keep-alive connections.

    `proxy` is `http://[user:password@]host:port`; with it the proxy's address is what `egress` judges.
    `ssl_context` replaces the default one (see `bridge.net.tls.client_tls`). Made in or out of an event loop,
    used in one. Close it at the end.
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
        self._to_proxy = {"Proxy-Authorization": credentials} if credentials else None
        self._ssl = ssl_context
        self._resolver = resolver
        self._sessions: dict[tuple[Network, ...], ClientSession] = {}
        self._targets: dict[str, _Target] = {}
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
    ) -> Response:
        """Send and give back whatever answer came; `outcome_of` judges it.

        `timeout` is in seconds, connecting included. `allow` are the caller's own additions to the egress rules.

        Raises:
            Retryable: no answer came. `unknown` unless the request surely never left.
            Refused: the URL is none, or a header cannot be sent.
        """
        text = url.reveal() if isinstance(url, Secret) else url
        target = self._targets.get(text) or self._learn(text)
        sent = dict(headers) if headers else {}
        if basic is not None:
            sent["Authorization"] = basic_authorization(*basic)
        elif target.authorization and not any(name.lower() == "authorization" for name in sent):
            sent["Authorization"] = target.authorization
        if self._to_proxy is not None and target.url.scheme == "http":
            sent.update(self._to_proxy)  # the proxy reads the request itself; for https it only sees CONNECT
        session = self._sessions.get(allow) or self._open(allow)
        progress = begin()
        try:
            async with session.request(
                method,
                target.url,
                data=body if len(body) < _COPIED_BELOW else io.BytesIO(body),
                headers=sent,
                timeout=_limits(timeout),
                allow_redirects=False,
                proxy_headers=self._to_proxy,
            ) as answer:
                content, complete = await _read(answer)
                return Response(answer.status, answer.headers, content, complete)
        except (ClientError, OSError, ValueError) as error:
            failure: ChannelError = failure_of(error, target.where, connected=progress.connected)
        raise failure

    async def close(self) -> None:
        """Close every connection. Later requests raise `Retryable`."""
        self._closed = True
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if self._resolver is not None:
            await self._resolver.close()

    def _learn(self, text: str) -> _Target:
        if len(self._targets) >= _TARGETS:  # more than any configuration names: templates make new ones
            self._targets.clear()
        target = self._targets[text] = _target(text)
        return target

    def _open(self, allow: tuple[Network, ...]) -> ClientSession:
        """A session for each set of rules: a pooled connection must not serve a caller who may not open it."""
        if self._closed:
            raise Retryable(FailureReason.BUSY, "shutting down")
        if self._resolver is None:
            self._resolver = ThreadedResolver()
        connector = WatchedConnector(
            limit=0,  # bounded by every channel's max_in_flight
            keepalive_timeout=_IDLE_SECONDS,
            resolver=self._resolver,
            socket_factory=self._egress.socket_factory(allow),
            ssl=self._ssl or True,
        )
        session = self._sessions[allow] = ClientSession(
            connector=connector,
            headers={"User-Agent": f"alertbridge/{version('alertbridge')}", "Accept-Encoding": "identity"},
            skip_auto_headers=("Accept", "Content-Type"),
            cookie_jar=DummyCookieJar(),
            auto_decompress=False,
            proxy=self._proxy.url if self._proxy else None,
        )
        return session


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


@lru_cache(maxsize=256)
def _limits(timeout: float) -> ClientTimeout:
    return ClientTimeout(total=timeout, connect=_CONNECT_SECONDS)


async def _read(answer: ClientResponse) -> tuple[bytes, bool]:
    """The body, and whether that is all of it. Never raises for a body that fails: the status has come."""
    content = answer.content
    if content.is_eof():
        whole = content.read_nowait()
        return whole[:_BODY_LIMIT], len(whole) <= _BODY_LIMIT
    body = bytearray()
    complete = True
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in content.iter_any():
                body += chunk
                if len(body) > _BODY_LIMIT:
                    complete = False
                    break
    except (ClientError, OSError):
        complete = False
    if not complete:
        answer.close()
    return bytes(body[:_BODY_LIMIT]), complete
