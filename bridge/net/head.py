"""The head of an outgoing request: request line and headers, as bytes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from yarl import URL

from bridge import __version__

OURS = {"User-Agent": f"alertbridge/{__version__}", "Accept-Encoding": "identity"}
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_SPECIAL = frozenset({"host", *map(str.lower, OURS)}) | _FRAMING
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Place(Struct, frozen=True):
    """Where requests of one URL go: `line` is what follows the method, `host` the Host header.

    `to_proxy` names the whole URL in the request line, for a proxy that reads the request.
    """

    line: str
    host: str
    usual: str

    @classmethod
    def of(cls, url: URL, *, to_proxy: bool = False) -> Place:
        line = f" {url if to_proxy else url.raw_path_qs} HTTP/1.1\r\n"
        host = url.host_port_subcomponent or ""
        return cls(line, host, line + _lines({"Host": host, **OURS}))


def head_of(method: str, place: Place, given: Mapping[str, str], size: int) -> bytes:
    """Everything before a body of `size` bytes. Given headers replace our own of the same name; the framing is ours.

    Raises:
        ValueError: a header has a line break or a NUL in it, cannot be encoded, or frames the body in another way.
    """
    if _SPECIAL.isdisjoint([name.lower() for name in given]):
        text = method + place.usual + _lines(given)
    else:
        text = method + place.line + _lines(_merged(place.host, given))
    if size or method not in _BODILESS:
        text = f"{text}Content-Length: {size}\r\n"
    return f"{text}\r\n".encode()


def _lines(headers: Mapping[str, str]) -> str:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers) or "\0" in text:
        raise ValueError("a header that is more than one line")
    return text


def _merged(host: str, given: Mapping[str, str]) -> dict[str, str]:
    names = {name.lower() for name in given}
    if "transfer-encoding" in names:
        raise ValueError("a body is sent whole, not in chunks")
    ours = {name: value for name, value in {"Host": host, **OURS}.items() if name.lower() not in names}
    return {**ours, **{name: value for name, value in given.items() if name.lower() not in _FRAMING}}
