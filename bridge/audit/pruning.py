"""The header that takes the place of pruned records, so that what remains still verifies.

Only the oldest records are pruned, up to one sequence number, in the transaction that records the header: a `pruned`
record whose detail says what is gone and with which hash the first remaining record goes on.
"""

from __future__ import annotations

import json
from datetime import datetime

import msgspec

from bridge.audit.chain import Head
from bridge.domain.audit import Kind, Record


class PrunedHeader(msgspec.Struct, frozen=True):
    """Records `first` to `last` are gone. `previous` is the hash before the first, `hash` that of the last (hex).

    `chain` is the chain of the last one; `until` its time (µs since 1970): deliveries made before it may be
    incomplete or gone.
    """

    first: int
    last: int
    chain: str
    previous: str
    hash: str
    until: int

    @property
    def head(self) -> Head:
        """What the first remaining record follows. Raises ValueError if the hash is damaged."""
        return Head(self.chain, self.last, bytes.fromhex(self.hash))


def pruned(now: datetime, header: PrunedHeader) -> Record:
    """The record to write while the records it speaks of are deleted."""
    detail = json.dumps(msgspec.to_builtins(header), ensure_ascii=False, separators=(",", ":"))
    return Record(at=now, kind=Kind.PRUNED, reason="retention", detail=detail)


def parse_header(detail: str | None) -> PrunedHeader | None:
    """The header in a `pruned` record's detail, None if there is none that can be read."""
    try:
        header = msgspec.json.decode(detail or "", type=PrunedHeader)
        return header if len(header.head.hash) == 32 else None
    except (msgspec.MsgspecError, ValueError):
        return None
