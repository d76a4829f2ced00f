"""The header that takes the place of pruned records, so that what remains still verifies.

Only the oldest records are pruned, up to the record that a stored checkpoint ends with, in the transaction that records
the header: a `pruned` record whose detail says what is gone and with which hashes the chains go on. The header is
signed with the key that signs checkpoints: who can write to the database but has no key cannot pass a hole off as
retention.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from bridge.audit.chain import Head
from bridge.domain.audit import Kind, Record
from bridge.domain.errors import BridgeError
from bridge.secrets import encoding
from bridge.secrets.instance import InstanceKeys, VerifyKey

_PURPOSE = b"alertbridge/audit-pruned/v1\n"
_HEX_OF_HASH = 64


class PruningError(BridgeError):
    """A text that is no header of pruned records, or that no trusted key signed."""


class ChainEnd(msgspec.Struct, frozen=True):
    """The last pruned record of a chain; `hash` is in hex."""

    chain: str
    seq: int
    hash: str


class PrunedHeader(msgspec.Struct, frozen=True):
    """This pruning took records `first` to `last`, those before them were gone already.

    `since` is the time of record `first`, `until` that of the checkpoint that ends with record `last` (µs since 1970).
    `heads` are the ends of the chains that may go on, that of record `last` among them. Gone are also the checkpoints
    up to number `checkpoint`, whose SHA-256 (hex) is `checkpoint_digest`. Deliveries with ids up to `deliveries` may
    have lost records. `previous` is the SHA-256 (hex) of the detail of the `pruned` record before, empty for the first.
    """

    first: int
    last: int
    since: int
    until: int
    heads: tuple[ChainEnd, ...]
    checkpoint: int
    checkpoint_digest: str
    deliveries: int = 0
    previous: str = ""

    @property
    def ends(self) -> tuple[Head, ...]:
        """`heads` with their hashes as bytes, by sequence number; the last is the one of record `last`."""
        return tuple(Head(end.chain, end.seq, bytes.fromhex(end.hash)) for end in self.heads)


class Pruned(msgspec.Struct, frozen=True):
    """A header and who signed it; the detail of a `pruned` record."""

    header: PrunedHeader
    signature: str

    def require_signed(self, trusted: Sequence[VerifyKey]) -> VerifyKey:
        """The trusted key that signed the header.

        Raises:
            PruningError: none of them did.
        """
        try:
            signature = encoding.decode(self.signature)
        except ValueError:
            signature = b""
        for key in trusted:
            if key.verifies(signature, _signed_text(self.header)):
                return key
        raise PruningError("no trusted key signed this pruning: records were taken out by somebody else")


def pruned_detail(header: PrunedHeader, keys: InstanceKeys) -> str:
    """The signed header as the text that a `pruned` record carries."""
    signature = encoding.encode(keys.sign(_signed_text(header)))
    return msgspec.json.encode(Pruned(header, signature)).decode()


def pruned_record(now: datetime, detail: str) -> Record:
    """The record to write in the transaction that deletes what it speaks of."""
    return Record(at=now, kind=Kind.PRUNED, reason="retention", detail=detail)


def parse_pruned(detail: str) -> Pruned:
    """What the detail of a `pruned` record says, without judging its signature.

    Raises:
        PruningError: it is no header.
    """
    try:
        found = msgspec.json.decode(detail, type=Pruned)
        ends = found.header.ends
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise PruningError("the header of the pruned records is damaged") from None
    seqs = [end.seq for end in ends]
    sound = bool(seqs) and seqs == sorted(set(seqs)) and seqs[-1] == found.header.last
    if not sound or any(len(end.hash) != _HEX_OF_HASH for end in found.header.heads):
        raise PruningError("the header of the pruned records is damaged")
    return found


def _signed_text(header: PrunedHeader) -> bytes:
    return _PURPOSE + msgspec.json.encode(header)
