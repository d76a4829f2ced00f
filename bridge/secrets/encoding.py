"""Base64 for keys and sealed texts: the URL alphabet, no padding, one spelling for each value."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Inverse of `encode`.

    Raises:
        ValueError: any other alphabet, padding, white space, or a second spelling of the same bytes.
    """
    data: bytes | None
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        data = None
    # Raised outside the handler, so that no exception in the chain holds the text.
    if data is None or encode(data) != text:
        raise ValueError("not base64url")
    return data
