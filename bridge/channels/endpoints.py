"""Where a vendor's API is, and reading what it answers."""

from __future__ import annotations

from base64 import b64encode
from typing import Annotated, TypeVar
from urllib.parse import quote, quote_plus, urlsplit

import msgspec
from msgspec import Struct
from pydantic import AfterValidator

from bridge.channels.sizes import one_line, shorten
from bridge.domain.errors import ChannelError, FailureReason, Permanent, Retryable
from bridge.domain.secret import MASK, PlainAllowed, Secret
from bridge.net import Response

_QUOTED = 200
_UNREADABLE_ATTEMPTS = 3
_REFERENCES = ("sealed:", "env:", "file:", "credential:")

AnswerType = TypeVar("AnswerType", bound=Struct)


def _web_address(url: Secret) -> Secret:
    """A URL in plain text is judged at once; a reference when it is opened. The URL is not echoed."""
    text = url.reveal()
    if text.startswith(_REFERENCES):
        return url
    try:
        parts = urlsplit(text)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError("is no URL; write https://host/path, or a reference such as env:NAME")
    return url


WebAddress = Annotated[Secret, PlainAllowed(), AfterValidator(_web_address)]
"""A URL option: plain text, or a reference if its path or query carries a token."""


def endpoint(base: Secret, path: str) -> Secret:
    """`path` under the vendor's base URL, unless the configured URL names that very path already."""
    root = base.reveal().rstrip("/")
    return Secret(root if root.endswith(path) else root + path)


class Masking:
    """Repeats what a service said, without the credentials it may have echoed."""

    def __init__(self, *secrets: Secret) -> None:
        self._spellings = [spelling for secret in secrets if secret for spelling in _spellings(secret.reveal())]

    def __call__(self, said: str) -> str:
        """One line of at most 200 characters for people."""
        for spelling in self._spellings:
            said = said.replace(spelling, MASK)
        return shorten(one_line(said), _QUOTED)


def read_json(response: Response, form: type[AnswerType]) -> AnswerType | None:
    """The body as `form`, unknown fields ignored; None if it is nothing of the kind."""
    try:
        return msgspec.json.decode(response.body, type=form)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def unreadable(vendor: str, response: Response, attempt: int) -> ChannelError:
    """A 2xx that is not the vendor's: a portal in between, or an answer cut off. Retried a few times, then final."""
    text = f"HTTP {response.status}, but not {vendor}'s answer"
    if attempt <= _UNREADABLE_ATTEMPTS:
        return Retryable(FailureReason.BAD_RESPONSE, text, unknown=True)
    return Permanent(FailureReason.BAD_RESPONSE, text)


def _spellings(value: str) -> tuple[str, ...]:
    return (
        value,
        quote(value),
        quote(value, safe=""),
        quote_plus(value),
        b64encode(value.encode()).decode().rstrip("="),
    )
