"""Heads that somebody vouched for: stored checkpoints, the head file, and lines of an outside log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from bridge.audit.checkpoint import ANCHOR, Checkpoint, CheckpointError, digest, parse_note, signer
from bridge.audit.findings import Finding
from bridge.audit.pruning import Pruned, PrunedHeader, PruningError
from bridge.secrets import encoding
from bridge.secrets.instance import VerifyKey

_FORMER = "signed with the key beside the database, although the keyring's was in use already"
_TOKEN = re.compile(re.escape(ANCHOR) + r"([A-Za-z0-9_-]+)")


class Pin(Struct, frozen=True, order=True, gc=False):
    """The record `seq` belongs to `chain` and has this hash, says `source`."""

    seq: int
    chain: str
    hash: bytes
    source: str


class Trust(Struct, frozen=True):
    """Whose signatures count.

    `former` keys (those beside the database, before there was a keyring) count only until the first checkpoint that a
    key of `keys` signed.
    """

    keys: tuple[VerifyKey, ...]
    former: tuple[VerifyKey, ...] = ()


class Pins:
    """Collects pins and what is wrong with the notes they come from."""

    def __init__(self, trust: Trust) -> None:
        self._trust = trust
        self._known: dict[str, Checkpoint] = {}
        self._current_from = self._current_seq = 0
        self.pins: list[Pin] = []
        self.findings: list[Finding] = []
        self.notes: list[str] = []
        self.count = 0
        self.newest = 0

    def judge_pruned(self, seq: int, pruned: Pruned) -> None:
        """Whether the newest header of pruned records, in the record `seq`, counts. Call it after `add_stored`."""
        try:
            key = pruned.require_signed((*self._trust.keys, *self._trust.former))
        except PruningError as error:
            self.findings.append(Finding(f"record {seq}: {error}", seq, seq))
            return
        if key not in self._trust.keys and 0 < self._current_seq < seq:
            self.findings.append(Finding(f"record {seq}: the pruning is {_FORMER}", seq, seq))

    def add_stored(
        self, stored: Iterable[tuple[int, int, str]], header: PrunedHeader | None, *, advance: Callable[[int], None]
    ) -> None:
        """Take the checkpoints of the database, in order: numbered without a gap, each naming the one before it.

        After a pruning they go on from the last one that its header names.
        """
        number, previous = (header.checkpoint, header.checkpoint_digest) if header else (0, "")
        for _id, _at, note in stored:
            source = f"checkpoint {number + 1}"
            checkpoint = self._read(note, source)
            if checkpoint is None:
                return
            if checkpoint.number != number + 1 or checkpoint.previous != previous:
                after = f"after checkpoint {number}" if number else "at the beginning"
                what = f"{after} comes checkpoint {checkpoint.number}, which does not follow: checkpoints were taken out or put in"
                self.findings.append(Finding(what))
                return
            number, previous = checkpoint.number, digest(note)
            self._pin(checkpoint, f"checkpoint {number}")
            self.count += 1
            advance(self.count)
        self.newest = number

    def add_head(self, note: str | None, *, required: bool) -> None:
        """Take the head file's note; it may be older than the newest stored checkpoint (a crash), never newer."""
        if note is None:
            if self.newest > 1 and required:
                self.findings.append(
                    Finding(
                        "the head file (.audit-head) is missing: the end of the log cannot be judged; give an --anchor"
                    )
                )
            elif self.newest:
                self.notes.append("there is no head file (.audit-head)")
            return
        checkpoint = self._read(note, "the head file (.audit-head)")
        if checkpoint is None:
            return
        self._pin(checkpoint, f"the head file (checkpoint {checkpoint.number})")
        if checkpoint.number > self.newest and not self.findings:
            what = f"the head file holds checkpoint {checkpoint.number}, the database none after {self.newest}: its end was cut off"
            self.findings.append(Finding(what))

    def add_anchor(self, path: Path, lines: Sequence[tuple[int, str | None]]) -> None:
        """Take the lines of an outside log (`read_anchor`)."""
        if all(note is None for _line, note in lines):
            self.findings.append(Finding(f"{path} holds no checkpoint that can be read"))
        for line, note in lines:
            if note is None:
                self.notes.append(f"{path}:{line}: the checkpoint there is cut short")
                continue
            checkpoint = self._read(note, f"{path}:{line}")
            if checkpoint is not None:
                self._pin(checkpoint, f"{path}:{line} (checkpoint {checkpoint.number})")

    def _read(self, note: str, source: str) -> Checkpoint | None:
        if note in self._known:
            return self._known[note]
        problem = ""
        checkpoint: Checkpoint | None = None
        try:
            checkpoint = parse_note(note)
            if signer(note, (*self._trust.keys, *self._trust.former)) in self._trust.keys:
                if not self._current_from:
                    self._current_from = checkpoint.number
                    self._current_seq = max((head.seq for head in checkpoint.heads), default=0)
            elif self._current_from and checkpoint.number >= self._current_from:
                problem = _FORMER
        except CheckpointError as error:
            problem = str(error)
        if problem or checkpoint is None:
            self.findings.append(Finding(f"{source}: {problem}"))
            return None
        self._known[note] = checkpoint
        return checkpoint

    def _pin(self, checkpoint: Checkpoint, source: str) -> None:
        self.pins += [Pin(head.seq, head.chain, head.hash, source) for head in checkpoint.heads]


def read_anchor(path: Path) -> list[tuple[int, str | None]]:
    """(line, note) of every checkpoint in a log file, or in a copy of a head file; None for one that is cut short.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open(encoding="utf-8", errors="replace") as file:
        found = list(_tokens(file))
    if found:
        return found
    whole = path.read_text(encoding="utf-8", errors="replace")
    return [(1, whole)] if whole.startswith("alertbridge/audit/") else []


def _tokens(lines: Iterable[str]) -> Iterator[tuple[int, str | None]]:
    for number, line in enumerate(lines, 1):
        for token in _TOKEN.finditer(line):
            try:
                note = encoding.decode(token[1]).decode()
                parse_note(note)
            except (ValueError, CheckpointError):
                yield number, None
            else:
                yield number, note
