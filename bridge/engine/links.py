"""Signed action links: what a token says, and that nobody else can make one.

A token is 54 letters, short enough for a text message and for Telegram's buttons: a version and the deed (1 byte), when it
expires (4), the incident (13), whom it was given to (6), and 16 bytes of HMAC-SHA256 over all that. The key stays when the
keyring rotates, so what was sent before still opens. Whom it was given to is a digest: names do not stand in links.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from bridge.domain.deed import Deed
from bridge.domain.errors import BridgeError
from bridge.secrets.instance import InstanceKeys

_VERSION = 1
_SIGNED = 24
_SIZE = _SIGNED + 16
_LETTERS = re.compile(r"[A-Za-z0-9_-]{54}")
_INCIDENT = re.compile(r"[0-9a-f]{26}")
_DEEDS = tuple(Deed)
_LAST = 2**32 - 1
_REMEMBERED = 10_000


class Opened(Struct, frozen=True):
    """What a token says. `recipient` is the digest of whom it was given to."""

    deed: Deed
    incident: str
    recipient: bytes
    expires_at: datetime


class BadLink(BridgeError):  # noqa: N818 - reads as what it reports
    """Not a link of ours. Nothing says what is wrong with it."""


class ExpiredLink(BadLink):
    """It was one of ours."""


@lru_cache(maxsize=8)
def links_of(keys: InstanceKeys) -> Links:
    """The links of an installation; they remember what they worked out."""
    return Links(keys)


class Links:
    """Makes and opens tokens."""

    def __init__(self, keys: InstanceKeys) -> None:
        self._key = keys.link_key
        self._recipients: dict[str, bytes] = {}

    def token(self, deed: Deed, incident: str, recipient: str, expires_at: datetime) -> str:
        """A token, or "" for an incident whose id is none of `new_id`'s."""
        if _INCIDENT.fullmatch(incident) is None:
            return ""
        until = min(max(int(expires_at.timestamp()), 0), _LAST)
        head = bytes([_VERSION << 4 | _DEEDS.index(deed)]) + until.to_bytes(4, "big")
        signed = head + bytes.fromhex(incident) + self.recipient(recipient)
        return base64.urlsafe_b64encode(signed + self._mac(signed)).rstrip(b"=").decode()

    def open(self, token: str, now: datetime) -> Opened:
        """What a token says.

        Raises:
            BadLink: it is none, or an ExpiredLink: its time is over.
        """
        raw = _decoded(token)
        signed = raw[:_SIGNED]
        if not hmac.compare_digest(self._mac(signed), raw[_SIGNED:]):
            raise BadLink("this is not a link of this bridge")
        version, place = divmod(signed[0], 16)
        if version != _VERSION or place >= len(_DEEDS):
            raise BadLink("this is a link of another version of the bridge")
        until = datetime.fromtimestamp(int.from_bytes(signed[1:5], "big"), UTC)
        if now >= until:
            raise ExpiredLink("this link has expired")
        return Opened(_DEEDS[place], signed[5:18].hex(), signed[18:], until)

    def recipient(self, name: str) -> bytes:
        """The digest of a recipient's name."""
        known = self._recipients.get(name)
        if known is None:
            known = hmac.digest(self._key, b"recipient\0" + name.encode("utf-8", "surrogateescape"), "sha256")[:6]
            if len(self._recipients) >= _REMEMBERED:
                self._recipients.clear()
            self._recipients[name] = known
        return known

    def named(self, recipient: bytes, names: Iterable[str]) -> str:
        """Which of the names a digest is of; empty if of none: whom a link was given to may be gone."""
        return next((name for name in names if hmac.compare_digest(self.recipient(name), recipient)), "")

    def _mac(self, signed: bytes) -> bytes:
        return hmac.digest(self._key, b"link\0" + signed, "sha256")[:16]


def _decoded(token: str) -> bytes:
    if _LETTERS.fullmatch(token) is not None:
        try:
            raw = base64.b64decode(token + "==", altchars=b"-_", validate=True)
        except binascii.Error:
            raw = b""
        # Several spellings of the last letter decode alike; a link has one.
        if len(raw) == _SIZE and base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == token:
            return raw
    raise BadLink("this is not a link of this bridge")
