"""A running bridge, as commands see it.

Uses the standard library's client: these commands make a few requests and should start at once. Proxies of the
environment are not used for loopback addresses, redirects never.
"""

from __future__ import annotations

import getpass
import ssl
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Annotated, TypeVar
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, OpenerDirector, ProxyHandler, Request, build_opener

import msgspec
import typer

from bridge.domain.errors import BridgeError
from bridge.domain.secret import Secret

DEFAULT_URL = "http://127.0.0.1:9099"
_TIMEOUT = 20.0
_MAX_ANSWER = 64 * 1024 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

T = TypeVar("T")

Url = Annotated[
    str | None,
    typer.Option("--url", envvar="ALERTBRIDGE_URL", show_default=DEFAULT_URL, help="where the bridge answers"),
]
TokenOption = Annotated[
    str | None, typer.Option("--token", envvar="ALERTBRIDGE_TOKEN", help="a token of its `access:` section")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="take the URL from this configuration")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON")]


class Unreachable(BridgeError):  # noqa: N818 - reads as the state it reports
    """The bridge did not answer, or not as a bridge does."""


class Declined(BridgeError):  # noqa: N818 - as above
    """The bridge said no; `status` is HTTP's."""

    exit_code = 1

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Problem(msgspec.Struct):
    detail: str = ""


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(
        self,
        req: Request,  # noqa: ARG002 - the base's signature
        fp: IO[bytes],  # noqa: ARG002
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: HTTPMessage,  # noqa: ARG002
        newurl: str,  # noqa: ARG002
    ) -> None:
        return None


class Remote:
    """The bridge at `url`. Raises Unreachable and Declined."""

    def __init__(self, url: str, token: Secret | None = None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise typer.BadParameter("the URL must begin with http:// or https:// and name a host", param_hint="--url")
        if "@" in parts.netloc or parts.query or parts.fragment:
            raise typer.BadParameter("the URL has a host and a path alone; a token goes to --token", param_hint="--url")
        self._base = url.rstrip("/")
        self._shown = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
        self._token = token
        self._opener = _opener(direct=parts.hostname in _LOOPBACK)

    def get(self, path: str, answer: type[T], query: Sequence[tuple[str, str]] = ()) -> T:
        """GET a JSON document as a typed value. Empty values of the query are left out."""
        asked = urlencode([(name, value) for name, value in query if value])
        return self._decoded(self._send("GET", f"{path}?{asked}" if asked else path, None, {}), answer)

    def post(self, path: str, answer: type[T], document: object, *, token: Secret | None = None) -> T:
        """POST a JSON document; the answer as a typed value. `token` is used instead of the usual one."""
        headers = {"Content-Type": "application/json"}
        return self._decoded(self._send("POST", path, msgspec.json.encode(document), headers, token), answer)

    def lines(self, path: str, answer: type[T], query: Sequence[tuple[str, str]], media_type: str) -> Iterator[T]:
        """GET JSON documents, one a line, each as soon as it comes. Empty values of the query are left out."""
        asked = urlencode([(name, value) for name, value in query if value])
        request = self._request("GET", f"{path}?{asked}", None, {"Accept": media_type})
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                while line := response.readline(_MAX_ANSWER):
                    yield self._decoded(line, answer)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"no answer from {self._shown}: {_reason(error)}") from None

    def _request(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], token: Secret | None = None
    ) -> Request:
        request = Request(self._base + path, data=body, method=method, headers=dict(headers))  # noqa: S310 - checked
        credential = token or self._token
        if credential is not None:
            request.add_unredirected_header("Authorization", f"Bearer {credential.reveal()}")
        return request

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str], token: Secret | None = None
    ) -> bytes:
        request = self._request(method, path, body, headers, token)
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                content: bytes = response.read(_MAX_ANSWER)
        except HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, HTTPException, ValueError) as error:
            raise Unreachable(f"no answer from {self._shown}: {_reason(error)}") from None
        return content

    def _refusal(self, error: HTTPError) -> BridgeError:
        try:
            detail = msgspec.json.decode(error.read(65_536), type=_Problem).detail
        except (msgspec.DecodeError, OSError, HTTPException):
            detail = ""
        if error.code >= 500:
            return Unreachable(f"{self._shown} answers {error.code}: {detail or 'not now'}")
        return Declined(error.code, detail or f"{self._shown} answers {error.code}, which is not a bridge's answer")

    def _decoded(self, content: bytes, answer: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=answer)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Unreachable(f"{self._shown} does not answer like a bridge") from error


def connect(url: str | None, token: str | None, config: Path | None = None) -> Remote:
    """The bridge that the options of a command mean."""
    return Remote(url or _url_of(config), Secret(token) if token else None)


def login() -> str:
    """Who acts where nobody says: the name of whoever is logged in here."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def segment(text: str) -> str:
    """A name or id as one segment of a path."""
    return quote(text, safe="")


def _url_of(config: Path | None) -> str:
    if config is None:
        return DEFAULT_URL
    from bridge.channels.registry import ChannelRegistry
    from bridge.config import load
    from bridge.hooks.registry import HookRegistry

    loaded = load(config, ChannelRegistry.load(), HookRegistry.load())
    if loaded.config is None:
        raise Unreachable(f"{config} is not a valid configuration; see `alertbridge check`, or give --url")
    return loaded.config.server.url


def _opener(*, direct: bool) -> OpenerDirector:
    handlers: list[object] = [_NoRedirects(), HTTPSHandler(context=ssl.create_default_context())]
    if direct:
        handlers.append(ProxyHandler({}))
    return build_opener(*handlers)  # type: ignore[arg-type]  # a list of handlers


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    if isinstance(cause, TimeoutError):
        return "it took too long"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return type(cause).__name__
