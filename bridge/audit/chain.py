"""The hash chain over audit records.

An entry's hash is SHA-256 over: one byte 0; the chain id with its length; the sequence number; the hash of the entry
before it in the chain (32 zero bytes for the first); `at` and `attempt`; the lengths of the nine text columns, in
table order, and then their UTF-8 bytes. Lengths are 4 bytes, numbers 8 (`at` and `attempt` signed), all big-endian, so
no two different rows give the same input.

There is one chain for each start of the process. Its first record, the genesis, is of the kind `started` and names the
head of the chain before it in its detail, so the newest head stands for everything before it.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from bridge.domain.audit import Kind, Record
from bridge.domain.moment import micros

SealedRow = tuple[int, str, int, str, str, str, str, str, str, int, str, str, str, bytes]
"""(seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hash): the columns
of the table `audit`, in order; `at` is in µs since 1970."""

Cells = tuple[bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes, bytes]
"""(kind, actor, source, incident, delivery, channel, reason, digest, detail) as UTF-8."""

Texts = tuple[str, str, str, str, str, str, str, str, str]
"""The same as text."""

ZERO = bytes(32)
_NUMBERS = struct.Struct(">Q32sqq9I").pack
_sha256 = hashlib.sha256


class Head(Struct, frozen=True):
    """Where a chain stands: its last sequence number and the hash of that record (32 bytes)."""

    chain: str
    seq: int
    hash: bytes


def chain_prefix(chain: bytes) -> bytes:
    """The first part of the hash input, the same for every entry of a chain."""
    return b"\x00" + len(chain).to_bytes(4, "big") + chain


def entry_hash(prefix: bytes, previous: bytes, seq: int, at: int, attempt: int, cells: Sequence[bytes]) -> bytes:
    """The hash of one entry. `prefix` is its chain's `chain_prefix`, `previous` the hash of the entry before it, `cells`
    its nine text columns in table order, as UTF-8.
    """
    k, a, s, i, d, c, r, g, t = cells
    lengths = (len(k), len(a), len(s), len(i), len(d), len(c), len(r), len(g), len(t))
    return _sha256(b"".join((prefix, _NUMBERS(seq, previous, at, attempt, *lengths), *cells))).digest()


def new_chain_id() -> str:
    """An id for a process start: 128 random bits."""
    return secrets.token_hex(16)


class Chain:
    """Gives records their place in the chain.

    `seal` makes rows for the transaction that is about to commit; only `commit` makes them part of the chain, and
    `rollback` forgets them. Used by one thread: the one that writes.
    """

    __slots__ = ("_chain_id", "_head", "_next_head", "_next_length", "_next_seq", "_prefix", "_seq", "length")

    def __init__(self, chain_id: str, seq: int = 0, head: bytes = ZERO) -> None:
        """Go on after the record `seq` (0: the table is empty), whose hash is `head` (32 zero bytes: the chain is new)."""
        self._chain_id = chain_id
        self._prefix = chain_prefix(chain_id.encode())
        self._seq = self._next_seq = seq
        self._head = self._next_head = head
        self.length = self._next_length = 0
        """How many records were committed."""

    @classmethod
    def start(cls, chain_id: str, previous: Head | None) -> Chain:
        """A new chain, numbered on from the last record in the table; its first record must be `genesis(…)`."""
        return cls(chain_id, previous.seq if previous else 0)

    @property
    def head(self) -> Head:
        """The last committed record."""
        return Head(self._chain_id, self._seq, self._head)

    def seal(self, records: Sequence[Record], after: int | None = None) -> list[SealedRow]:
        """Rows for `INSERT INTO audit`, in order. Call again in one transaction for more; then `commit` or `rollback`.

        `after` is the last sequence number in use, where other chains number on in the same table.
        """
        prefix, chain_id = self._prefix, self._chain_id
        seq, head = self._next_seq if after is None else after, self._next_head
        rows: list[SealedRow] = []
        for record in records:
            seq += 1
            texts: Texts = (
                str(record.kind),
                record.actor,
                record.source,
                record.incident,
                record.delivery,
                record.channel,
                record.reason,
                record.digest,
                record.detail,
            )
            if "\0" in "".join(texts):
                texts = _clean(texts)
            try:
                cells = _encode(texts)
            except UnicodeEncodeError:
                cells = _encode(texts := _clean(texts))
            at, attempt = micros(record.at), record.attempt
            head = entry_hash(prefix, head, seq, at, attempt, cells)
            rows.append((seq, chain_id, at, *texts[:6], attempt, *texts[6:], head))
        self._next_seq, self._next_head = seq, head
        self._next_length += len(rows)
        return rows

    def renew(self, at: datetime, newest: tuple[int, str, bytes] | None) -> Record:
        """Begin a new chain: nobody knows whether the last rows of this one were stored. Gives its first record.

        `newest` is (seq, chain, hash) of the newest record that is stored, of whatever chain.
        """
        before, self._chain_id = self._chain_id, new_chain_id()
        self._prefix = chain_prefix(self._chain_id.encode())
        self._next_head = ZERO
        previous = None if newest is None else Head(newest[1], newest[0], newest[2])
        return genesis(at, previous, {"instead_of": before})

    def commit(self) -> None:
        """The transaction with the sealed rows is on disk."""
        self._seq, self._head, self.length = self._next_seq, self._next_head, self._next_length

    def rollback(self) -> None:
        """The transaction with the sealed rows came to nothing."""
        self._next_seq, self._next_head, self._next_length = self._seq, self._head, self.length


def genesis(at: datetime, previous: Head | None, facts: Mapping[str, str] | None = None) -> Record:
    """The first record of a chain. `facts` (version, configuration hash, …) go into its detail."""
    before = previous and {"chain": previous.chain, "seq": previous.seq, "hash": previous.hash.hex()}
    detail = json.dumps({"previous": before, **(facts or {})}, ensure_ascii=False, separators=(",", ":"))
    return Record(at=at, kind=Kind.STARTED, detail=detail)


def _encode(texts: Texts) -> Cells:
    k, a, s, i, d, c, r, g, t = texts
    return (
        k.encode(), a.encode(), s.encode(), i.encode(), d.encode(), c.encode(), r.encode(), g.encode(), t.encode()
    )  # fmt: skip


def _clean(texts: Texts) -> Texts:
    """The texts with lone surrogates, which no database stores, and NUL, which PostgreSQL does not, replaced: one odd label
    must not fail a whole commit, and a log that is under its hashes must fit either database.
    """
    k, a, s, i, d, c, r, g, t = (text.encode("utf-8", "replace").decode().replace("\0", "\ufffd") for text in texts)
    return k, a, s, i, d, c, r, g, t
