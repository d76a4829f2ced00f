"""What was asked over callbacks and is done: a service that repeats itself asks for it once."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256

from bridge.domain.moment import micros
from bridge.storage.transaction import Tx

_KEPT = timedelta(days=7)
"""Longer than any service repeats itself for."""
_PAGE = 20


async def first_time(tx: Tx, channel: str, key: str, now: datetime) -> bool:
    """Note what a channel was asked under a key; False if it had been. Old keys go, a few at a time.

    What is kept of a key is its SHA-256: a service may make it as long as it likes, of any characters.
    """
    digest = sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
    await tx.run("asked_prune", micros(now - _KEPT), _PAGE)
    if await tx.one("asked_there", channel, digest) is not None:
        return False
    await tx.run("asked_add", channel, digest, micros(now))
    return True
