"""Signatures of Standard Webhooks, version 1: HMAC-SHA256 over `<id>.<timestamp>.<body>`."""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

from bridge.domain.errors import SecretError
from bridge.domain.secret import Secret

_PREFIX = "whsec_"


class Signer:
    """Signs with one secret: `whsec_` is followed by base64 of the key, anything else is the key.

    Raises:
        SecretError: what follows `whsec_` is no base64.
    """

    def __init__(self, secret: Secret) -> None:
        key = _key(secret.reveal())
        if key is None:
            raise SecretError("signing_secret begins with whsec_ but what follows is not base64")
        self._mac = hmac.new(key, digestmod=sha256)

    def sign(self, message_id: str, timestamp: int, body: bytes) -> str:
        """The `webhook-signature` header. `timestamp` is in unix seconds."""
        mac = self._mac.copy()
        mac.update(f"{message_id}.{timestamp}.".encode())
        mac.update(body)
        return "v1," + b64encode(mac.digest()).decode()


def _key(text: str) -> bytes | None:
    if not text.startswith(_PREFIX):
        return text.encode()
    encoded = text.removeprefix(_PREFIX).strip()
    try:
        return b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or None
    except binascii.Error:
        return None
