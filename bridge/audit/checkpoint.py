"""Signed checkpoints over the heads of the chains.

The text is a signed note after C2SP (c2sp.org/signed-note, Ed25519) with the shape of a C2SP `tlog-checkpoint`: origin,
number of leaves, and the RFC 9162 Merkle root over them; a leaf is a `head CHAIN SEQ HASH` line. Extension lines give
the checkpoint's number, its time (µs since 1970), the SHA-256 of the note before it, and the leaves themselves. Heads
that a later chain's genesis names need no leaf of their own: the later head stands for them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from bridge.audit.chain import Head
from bridge.domain.errors import BridgeError
from bridge.domain.moment import micros, moment
from bridge.secrets import encoding
from bridge.secrets.files import MAX_SIZE, write_atomically
from bridge.secrets.instance import InstanceKeys, VerifyKey

RECORDS = 1000
PERIOD = timedelta(seconds=60)
ANCHOR = "alertbridge-checkpoint:v1:"
_ED25519 = b"\x01"
_LINES = re.compile(
    r"checkpoint ([0-9]{1,18})\nat (-?[0-9]{1,18})\nprevious ([0-9a-f]{64}|-)\n((?:head [^\n]+\n)*)", re.ASCII
)
_HEAD = re.compile(r"head ([!-~]{1,200}) ([0-9]{1,18}) ([0-9a-f]{64})", re.ASCII)
_SIGNATURE = re.compile(r"— (\S+) ([A-Za-z0-9+/]{91}=)\n")


class CheckpointError(BridgeError):
    """A text that is no checkpoint, or whose signature does not hold."""


class Checkpoint(Struct, frozen=True):
    """What a note says. `at` is in µs since 1970, `previous` the SHA-256 (hex) of the note before it, empty for the first."""

    number: int
    at: int
    previous: str
    heads: tuple[Head, ...]


def due(now: datetime, records_since: int, last_at: datetime | None) -> bool:
    """Whether to sign now: something was recorded, and 1,000 records or 60 s have passed, or the clock went back."""
    if records_since <= 0:
        return False
    return last_at is None or records_since >= RECORDS or not timedelta(0) <= now - last_at < PERIOD


class Checkpoints:
    """Makes one checkpoint after the other. `note` changes nothing; `committed` follows when it is stored."""

    def __init__(self, keys: InstanceKeys, last: str | None) -> None:
        """Go on after the newest stored note (None: there is none).

        Raises:
            CheckpointError: the stored note is damaged.
        """
        self._keys = keys
        self._number, self._previous, self._seq = 0, "", 0
        self._last_at: datetime | None = None
        if last is not None:
            self.committed(last)

    def is_due(self, now: datetime, head: Head) -> bool:
        """`due`, for the head of the living chain."""
        return due(now, head.seq - self._seq, self._last_at)

    @property
    def signed_through(self) -> int:
        """The highest sequence number under the newest checkpoint."""
        return self._seq

    def note(self, heads: Sequence[Head], now: datetime) -> str:
        """The next signed note over these heads, all of them committed."""
        return write_note(Checkpoint(self._number + 1, micros(now), self._previous, tuple(heads)), self._keys)

    def committed(self, note: str) -> None:
        """The note is stored: the next one follows it."""
        checkpoint = parse_note(note)
        self._number, self._previous = checkpoint.number, digest(note)
        self._seq = max((head.seq for head in checkpoint.heads), default=0)
        self._last_at = moment(checkpoint.at)


def write_note(checkpoint: Checkpoint, keys: InstanceKeys) -> str:
    """The signed text of a checkpoint."""
    name = f"alertbridge/audit/{keys.verifiers[0].kid}"
    leaves = [f"head {head.chain} {head.seq} {head.hash.hex()}" for head in checkpoint.heads]
    root = base64.b64encode(merkle_root([leaf.encode() for leaf in leaves])).decode()
    facts = [f"checkpoint {checkpoint.number}", f"at {checkpoint.at}", f"previous {checkpoint.previous or '-'}"]
    body = "\n".join([name, str(len(leaves)), root, *facts, *leaves]) + "\n"
    signature = _key_hash(name, keys.verifiers[0]) + keys.sign(body.encode())
    return f"{body}\n— {name} {base64.b64encode(signature).decode()}\n"


def parse_note(note: str) -> Checkpoint:
    """What a note says, without judging its signature.

    Raises:
        CheckpointError: it is no checkpoint, or its Merkle root does not fit its heads.
    """
    body, _separator, _signature = note.partition("\n\n")
    origin, size, root, rest = [*f"{body}\n".split("\n", 3), "", "", ""][:4]
    lines = _LINES.fullmatch(rest)
    if lines is None or not origin.startswith("alertbridge/audit/"):
        raise CheckpointError("not a checkpoint of this bridge")
    leaves = lines[4].splitlines()
    found = [_HEAD.fullmatch(leaf) for leaf in leaves]
    heads = tuple(Head(match[1], int(match[2]), bytes.fromhex(match[3])) for match in found if match)
    expected = base64.b64encode(merkle_root([leaf.encode() for leaf in leaves])).decode()
    if len(heads) != len(leaves) or size != str(len(leaves)) or root != expected:
        raise CheckpointError("the checkpoint's heads do not fit its root")
    return Checkpoint(int(lines[1]), int(lines[2]), lines[3].removeprefix("-"), heads)


def signer(note: str, trusted: Sequence[VerifyKey]) -> VerifyKey:
    """The trusted key whose signature the note bears.

    Raises:
        CheckpointError: none of them signed this text.
    """
    body, _separator, last = note.partition("\n\n")
    line = _SIGNATURE.fullmatch(last)
    signature = base64.b64decode(line[2]) if line else b""
    # One signature, in one spelling: so every letter of the note counts.
    if line is not None and base64.b64encode(signature).decode() == line[2]:
        for key in trusted:
            if signature[:4] == _key_hash(line[1], key) and key.verifies(signature[4:], f"{body}\n".encode()):
                return key
    raise CheckpointError("no trusted key signed this text: it was changed, or signed with another key")


def digest(note: str) -> str:
    """The SHA-256 (hex) by which the next checkpoint names this one."""
    return hashlib.sha256(note.encode()).hexdigest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The RFC 9162 (2.1.1) tree hash."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + merkle_root(leaves[:split]) + merkle_root(leaves[split:])).digest()


def head_file(database: Path) -> Path:
    """Where the newest checkpoint is kept outside the database: `<database file>.audit-head`."""
    return database.with_name(database.name + ".audit-head")


def publish(database: Path, note: str) -> None:
    """Put a stored checkpoint beside the database, atomically and on disk when this returns.

    Raises:
        OSError: it cannot be written; the older one is untouched.
    """
    path = head_file(database)
    write_atomically(path, note.encode(), mode=None if path.exists() else 0o640)


def published(database: Path) -> str | None:
    """The note in `<database file>.audit-head`, None where there is no such file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with head_file(database).open("rb") as file:
            return file.read(MAX_SIZE).decode("utf-8", "replace")
    except FileNotFoundError:
        return None


def anchor_line(note: str) -> str:
    """The checkpoint as one word, for the log: `audit verify --anchor FILE` finds it in lines of any format."""
    return ANCHOR + encoding.encode(note.encode())


def first_missing(note: str, find: Callable[[int], tuple[str, bytes] | None]) -> int | None:
    """The first head of a note that a database does not hold, as its sequence number; None if it holds them all.

    `find` gives (chain, hash) of a record by its number. For the start: a database that does not match its head file
    was restored, or was tampered with.

    Raises:
        CheckpointError: the note is damaged.
    """
    for head in parse_note(note).heads:
        if find(head.seq) != (head.chain, head.hash):
            return head.seq
    return None


def _key_hash(name: str, key: VerifyKey) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + key.raw).digest()[:4]
