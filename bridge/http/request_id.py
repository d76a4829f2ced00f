"""Names for requests: unique, and cheap enough for every one."""

from __future__ import annotations

import itertools
import secrets

_boot = secrets.token_hex(4)
_numbers = itertools.count(1)


def next_request_id() -> str:
    """Eight random digits of this process and a running number; never the client's own `X-Request-Id`."""
    return f"{_boot}-{next(_numbers):x}"
