"""The walk along the chains: every column of every record is hashed again, and compared with what vouches for it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bridge.audit.chain import ZERO, chain_prefix, entry_hash
from bridge.audit.findings import Finding
from bridge.audit.pins import Pin
from bridge.audit.pruning import PrunedHeader
from bridge.storage.audit_log import RawRow

STARTED, STOPPED, RESTORED = b"started", b"stopped", b"restored"
_TICK = 4096
_RESTORED = {
    b"audit_head": "the bridge found its database older than its head file",
    b"backup": "the bridge started on a restored backup",
    b"moved": "the bridge started on a database that was moved here",
}


class _Previous(msgspec.Struct, frozen=True):
    chain: str
    seq: int
    hash: str


class _Genesis(msgspec.Struct, frozen=True):
    """`instead_of`: the chain of the same process that ended because nobody knew whether its last records were stored."""

    previous: _Previous | None
    instead_of: str = ""


class _Stand(msgspec.Struct):
    """Where a chain that others have since written beside stands."""

    head: bytes
    kind: bytes


class Walk:
    """Where the walk stands, and what it found. It ends at the first record that does not hold.

    On a database that bridges share (`shared`) their chains stand side by side: the numbers grow without a gap over all
    of them, and each record follows the one before it in its own chain.
    """

    def __init__(self, pins: Sequence[Pin], header: PrunedHeader | None = None, *, shared: bool = False) -> None:
        """Begin at the first record, or after the pruned ones."""
        self.seq, self.head = 0, ZERO
        self.chain: bytes | None = None
        self._shared = shared
        self._beside: dict[bytes, _Stand] = {}
        if header is not None:
            *others, end = header.ends
            self.seq, self.head, self.chain = end.seq, end.hash, end.chain.encode()
            self._beside = {other.chain.encode(): _Stand(other.hash, b"") for other in others}
        self._pins = sorted(pin for pin in pins if pin.seq > self.seq)
        self._waiting = iter(self._pins)
        self.kind = b""
        self.records = self.chains = self.signed_through = 0
        self.finding: Finding | None = None
        self.notes: list[str] = []

    def run(self, rows: Iterable[RawRow], advance: Callable[[int], None]) -> None:
        """Go from the first record to the last. `advance` is told now and then how many are done."""
        pin = next(self._waiting, None)
        pinned = pin.seq if pin else 0
        prefix = chain_prefix(self.chain or b"")
        for seq, at, attempt, hashed, chain, *cells in rows:
            if seq != self.seq + 1 or chain != self.chain:
                if not (self._goes_on(seq, chain) or self._joins(seq, chain, cells)):
                    return
                prefix = chain_prefix(chain)
            if _hash(prefix, self.head, seq, at, attempt, cells) != hashed or self.kind == STOPPED:
                self._breaks(seq)
                return
            if seq == pinned:
                pin = self._compare(pin, hashed)
                pinned = pin.seq if pin else 0
                if self.finding:
                    return
            self.seq, self.head, self.kind = seq, hashed, cells[0]
            self.records += 1
            if cells[0] == RESTORED:
                self.notes.append(f"record {seq}: {_RESTORED.get(cells[6], _RESTORED[b'audit_head'])}, and said so")
            if not self.records % _TICK:
                advance(self.records)
        if pin is not None:
            last = self._pins[-1].seq
            self._found(f"records {self.seq + 1} to {last} are missing: {pin.source} names them", self.seq + 1, last)

    def _compare(self, pin: Pin | None, hashed: bytes) -> Pin | None:
        """Hold a record that hashes well against every pin on it; gives the next pin."""
        seq = pin.seq if pin else 0
        while pin is not None and pin.seq == seq:
            if pin.hash != hashed or pin.chain.encode() != self.chain:
                self._contradicts(pin)
                return pin
            pin = next(self._waiting, None)
        self.signed_through = seq
        return pin

    @property
    def running(self) -> str:
        """What is to be said of chains without a `stopped`, empty if there is none."""
        if not self._shared:
            what = "the bridge is running, or it crashed"
            return "" if self.kind == STOPPED else f"the newest chain (record {self.seq}) has no `stopped`: {what}"
        kinds = [self.kind, *(stand.kind for stand in self._beside.values())]
        number = sum(kind != STOPPED for kind in kinds)
        return f"chains without a `stopped`: {number}; their bridges are running, or they crashed" if number else ""

    def _goes_on(self, seq: int, chain: bytes) -> bool:
        """Whether another chain that was begun before goes on here."""
        if seq != self.seq + 1 or chain not in self._beside or self.chain is None:
            return False
        self._beside[self.chain] = _Stand(self.head, self.kind)
        stand = self._beside.pop(chain)
        self.chain, self.head, self.kind = chain, stand.head, stand.kind
        return True

    def _joins(self, seq: int, chain: bytes, cells: Sequence[bytes]) -> bool:
        """Whether a new chain begins here and names the newest record before it."""
        if seq <= self.seq:
            self._found(f"record {seq} stands although `pruned` says that it is gone", seq, seq)
            return False
        if seq != self.seq + 1:
            self._found(f"records {self.seq + 1} to {seq - 1} are missing", self.seq + 1, seq - 1)
            return False
        genesis = _genesis(cells) if cells[0] == STARTED else None
        if genesis is None:
            self._found(
                f"record {seq} begins another chain without being a `started` that names the one before", seq - 1, seq
            )
            return False
        expected: _Previous | None = None
        if self.chain is not None:
            expected = _Previous(self.chain.decode("utf-8", "replace"), self.seq, self.head.hex())
        if genesis.previous != expected:
            self._found(f"record {seq} begins a chain that does not follow record {seq - 1}", max(seq - 1, 1), seq)
            return False
        if self._shared and self.chain is not None:
            self._beside[self.chain] = _Stand(self.head, self.kind)
        elif self.kind and self.kind != STOPPED:
            self.notes.append(f"the chain that ends with record {self.seq} has no `stopped`: a crash")
        if genesis.instead_of:
            self._closes(seq, genesis.instead_of.encode())
        self.chain, self.head, self.kind = chain, ZERO, b""
        self.chains += 1
        return True

    def _closes(self, seq: int, chain: bytes) -> None:
        """The process went on in a new chain; nothing may follow in the old one."""
        if chain in self._beside:
            self._beside[chain] = _Stand(self._beside[chain].head, STOPPED)
        self.notes.append(f"record {seq}: a bridge did not know whether a commit came to be, and began a new chain")

    def _breaks(self, seq: int) -> None:
        if self.kind == STOPPED:
            self._found(f"record {seq} follows the `stopped` of its own chain", seq, seq)
        elif self.signed_through == seq - 1 or seq == 1:
            self._found(f"record {seq} was changed: its hash does not fit what it says", seq, seq)
        else:
            what = f"record {seq} does not hold: it was changed, or record {seq - 1} before it was changed together with its hash"
            self._found(what, seq - 1, seq)

    def _contradicts(self, pin: Pin) -> None:
        first = self.signed_through + 1
        what = f"records {first} to {pin.seq} hold a change, and the chain was made anew after it: {pin.source} vouches for others"
        self._found(what, first, pin.seq)

    def _found(self, what: str, first: int, last: int) -> None:
        self.finding = Finding(what, first, last)


def _hash(prefix: bytes, previous: bytes, seq: int, at: int, attempt: int, cells: Sequence[bytes]) -> bytes:
    try:
        return entry_hash(prefix, previous, seq, at, attempt, cells)
    except (TypeError, ValueError, struct.error):  # only a table that was built anew holds such values
        return b""


def _genesis(cells: Sequence[bytes]) -> _Genesis | None:
    try:
        return msgspec.json.decode(cells[-1], type=_Genesis)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
