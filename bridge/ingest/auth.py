"""How a sender proves who it is. Pure: given what a source accepts, a request and the time, yes or no.

Sources: RFC 6750 (Bearer), RFC 7617 (Basic), Grafana's HMAC option of a webhook contact point: HMAC-SHA256 as
lower-case hex without prefix, over the body, or over `timestamp:body` where a timestamp header is configured.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from msgspec import Struct

from bridge.domain.errors import IngestError, IngestReason

Headers = Iterable[tuple[str, str]]
"""Name and value as received, duplicates kept; bytes that are no UTF-8 as surrogate escapes."""

SIGNATURE_HEADER = "X-Grafana-Alerting-Signature"
TOLERANCE = timedelta(seconds=300)

_AUTHORIZATION = "Authorization"
_SECONDS = re.compile(rb"[0-9]{1,12}")
_DIGEST_SIZE = sha256().digest_size


def digest_of(credential: str) -> bytes:
    """What is kept of a token or password in memory. Digests compare in constant time whatever the lengths.

    Raises:
        ValueError: the credential is empty, which would let everybody in.
    """
    if not credential:
        raise ValueError("a credential cannot be empty")
    return sha256(credential.encode()).digest()


class Bearer(Struct, frozen=True):
    """`Authorization: Bearer TOKEN`; each of the tokens is accepted. `digests` are from `digest_of`."""

    digests: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _check_digests(self.digests)


class Basic(Struct, frozen=True):
    """`Authorization: Basic …`; UTF-8, each of the passwords is accepted. `digests` are from `digest_of`."""

    username: str
    digests: tuple[bytes, ...]

    def __post_init__(self) -> None:
        _check_digests(self.digests)


class Hmac(Struct, frozen=True):
    """Grafana's signature; each of the secrets is accepted. Only a timestamp bounds how long a request can be replayed."""

    secrets: tuple[bytes, ...]
    header: str = SIGNATURE_HEADER
    timestamp_header: str | None = None
    tolerance: timedelta = TOLERANCE

    def __post_init__(self) -> None:
        if not self.secrets or not all(self.secrets):
            raise ValueError("a signature needs at least one secret, and none that is empty")

    def __repr__(self) -> str:
        return f"Hmac(secrets=<{len(self.secrets)}>, header={self.header!r})"


Way = Bearer | Basic | Hmac


def authenticate(ways: Sequence[Way], headers: Headers, body: bytes, now: datetime) -> None:
    """Lets a request pass that proves itself in any of the ways; without ways everybody passes.

    All ways and all secrets are tried whatever the outcome. Headers that are there twice prove nothing. `body` is
    the raw body: what is signed is its bytes. `now` has a zone.

    Raises:
        IngestError: `UNAUTHENTICATED`, with one message for every cause.
    """
    found = list(headers)
    proved = [_proves(way, found, body, now) for way in ways]
    if ways and not any(proved):
        raise IngestError(IngestReason.UNAUTHENTICATED, "the request does not prove who sent it")


def _proves(way: Way, headers: Sequence[tuple[str, str]], body: bytes, now: datetime) -> bool:
    if isinstance(way, Hmac):
        return _is_signed(way, headers, body, now)
    scheme, credentials = _authorization(headers)
    if isinstance(way, Bearer):
        return _is_one_of(sha256(credentials).digest(), way.digests) & (scheme == b"bearer")
    username, password = _user_and_password(credentials)
    named = hmac.compare_digest(sha256(username).digest(), sha256(way.username.encode()).digest())
    return _is_one_of(sha256(password).digest(), way.digests) & named & (scheme == b"basic")


def _is_one_of(digest: bytes, accepted: Sequence[bytes]) -> bool:
    hits = [hmac.compare_digest(digest, known) for known in accepted]
    return any(hits)


def _is_signed(way: Hmac, headers: Sequence[tuple[str, str]], body: bytes, now: datetime) -> bool:
    sent = _header(headers, way.header)
    message = body
    in_time = True
    if way.timestamp_header is not None:
        timestamp = _header(headers, way.timestamp_header)
        in_time = _is_near(timestamp, now, way.tolerance)
        message = timestamp + b":" + body
    hits = [hmac.compare_digest(hmac.digest(key, message, "sha256").hex().encode(), sent) for key in way.secrets]
    return any(hits) & in_time


def _is_near(timestamp: bytes, now: datetime, tolerance: timedelta) -> bool:
    if _SECONDS.fullmatch(timestamp) is None:
        return False
    since_epoch = (now - datetime.fromtimestamp(0, UTC)).total_seconds()
    return abs(since_epoch - int(timestamp)) <= tolerance.total_seconds()


def _authorization(headers: Sequence[tuple[str, str]]) -> tuple[bytes, bytes]:
    """Scheme in lower case, and the rest; both empty if there is nothing usable."""
    scheme, _, rest = _header(headers, _AUTHORIZATION).strip().partition(b" ")
    return scheme.lower(), rest.strip(b" ")


def _user_and_password(credentials: bytes) -> tuple[bytes, bytes]:
    try:
        username, _, password = base64.b64decode(credentials, validate=True).partition(b":")
    except binascii.Error:
        return b"", b""
    return username, password


def _header(headers: Sequence[tuple[str, str]], name: str) -> bytes:
    """The one value of a header; empty if there is none, or several, which could mean different things to a proxy."""
    wanted = name.lower()
    values = [value for found, value in headers if found.lower() == wanted]
    if len(values) != 1:
        return b""
    try:
        return values[0].encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return b""


def _check_digests(digests: Sequence[bytes]) -> None:
    if not digests or any(len(digest) != _DIGEST_SIZE for digest in digests):
        raise ValueError("at least one SHA-256 digest is needed; make it with digest_of")
