from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridge.audit.chain import Head
from bridge.audit.checkpoint import (
    CheckpointError,
    Checkpoints,
    anchor_line,
    digest,
    due,
    first_missing,
    merkle_root,
    parse_note,
    publish,
    published,
    signer,
)
from bridge.audit.pins import read_anchor
from bridge.secrets.instance import InstanceKeys

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
KEYS = InstanceKeys.generate()
HEADS = (Head("c1", 7, b"a" * 32), Head("c2", 9, b"b" * 32))


@pytest.mark.parametrize(
    ("records", "seconds", "expected"),
    [(0, 3600, False), (1, 59.9, False), (1, 60, True), (999, 1, False), (1000, 0, True), (1, -1, True)],
)
def test_a_checkpoint_is_due_after_a_thousand_records_or_a_minute(records: int, seconds: float, expected: bool) -> None:
    assert due(NOW + timedelta(seconds=seconds), records, NOW) is expected


def test_the_first_record_of_all_is_due_at_once() -> None:
    assert due(NOW, 1, None)


def test_a_note_says_what_was_signed() -> None:
    checkpoint = parse_note(Checkpoints(KEYS, None).note(HEADS, NOW))
    assert (checkpoint.number, checkpoint.previous, checkpoint.heads) == (1, "", HEADS)
    assert checkpoint.at == int(NOW.timestamp()) * 1_000_000


def test_a_note_is_a_signed_note_as_c2sp_describes_it() -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    text, _, last = note.rpartition("\n\n")
    dash, name, signature = last.split()
    public = KEYS.verifiers[0].raw
    raw = base64.b64decode(signature)
    assert (dash, name) == ("—", text.split("\n", maxsplit=1)[0])
    assert raw[:4] == hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(public).verify(raw[4:], (text + "\n").encode())


def test_the_root_is_the_rfc_9162_tree_over_the_heads() -> None:
    def leaf(data: bytes) -> bytes:
        return hashlib.sha256(b"\x00" + data).digest()

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\x01" + left + right).digest()

    a, b, c = leaf(b"a"), leaf(b"b"), leaf(b"c")
    assert merkle_root([]) == hashlib.sha256(b"").digest()
    assert merkle_root([b"a"]) == a
    assert merkle_root([b"a", b"b", b"c"]) == node(node(a, b), c)
    five = merkle_root([b"a", b"b", b"c", b"a", b"b"])
    assert five == node(node(node(a, b), node(c, a)), b)


def test_checkpoints_are_numbered_and_each_names_the_one_before() -> None:
    checkpoints = Checkpoints(KEYS, None)
    first = checkpoints.note(HEADS, NOW)
    assert checkpoints.note(HEADS, NOW) == first, "a note that was not committed is made again"
    checkpoints.committed(first)
    second = parse_note(checkpoints.note(HEADS, NOW))
    assert (second.number, second.previous) == (2, digest(first))
    assert parse_note(Checkpoints(KEYS, first).note(HEADS, NOW)) == second, "a restart goes on where it was"


def test_after_a_checkpoint_the_next_is_due_a_thousand_records_on() -> None:
    checkpoints = Checkpoints(KEYS, None)
    checkpoints.committed(checkpoints.note([Head("c1", 500, b"a" * 32)], NOW))
    assert not checkpoints.is_due(NOW, Head("c1", 1499, b""))
    assert checkpoints.is_due(NOW, Head("c1", 1500, b""))
    assert not checkpoints.is_due(NOW + timedelta(hours=1), Head("c1", 500, b""))


def test_only_a_trusted_key_counts() -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    assert signer(note, (*InstanceKeys.generate().verifiers, *KEYS.verifiers)) == KEYS.verifiers[0]
    with pytest.raises(CheckpointError, match="no trusted key"):
        signer(note, InstanceKeys.generate().verifiers)


def test_no_letter_of_a_note_can_be_changed() -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    for place in range(len(note)):
        changed = note[:place] + chr(ord(note[place]) ^ 1) + note[place + 1 :]
        with pytest.raises(CheckpointError):
            _read(changed)


@pytest.mark.parametrize("more", ["\n", "a remark\n", "— other AAAA\n"])
def test_nothing_can_be_added_to_a_note(more: str) -> None:
    with pytest.raises(CheckpointError):
        _read(Checkpoints(KEYS, None).note(HEADS, NOW) + more)


def _read(note: str) -> None:
    signer(note, KEYS.verifiers)
    parse_note(note)


def test_the_newest_checkpoint_is_kept_beside_the_database(tmp_path: Path) -> None:
    database = tmp_path / "bridge.db"
    assert published(database) is None
    publish(database, "one")
    publish(database, "two")
    assert published(database) == "two"
    assert [path.name for path in tmp_path.iterdir()] == ["bridge.db.audit-head"]


def test_a_database_that_lacks_a_head_is_told_from_one_that_has_it() -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    held = {head.seq: (head.chain, head.hash) for head in HEADS}
    assert first_missing(note, held.get) is None
    assert first_missing(note, {**held, 9: ("c2", b"x" * 32)}.get) == 9
    assert first_missing(note, {}.get) == 7


@pytest.mark.parametrize(
    "form", ["{}", '{{"anchor":"{}","level":"info"}}', "Mar  1 host alertbridge[1]: anchor={} level=info"]
)
def test_anchors_are_found_in_logs_of_any_format(tmp_path: Path, form: str) -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    log = tmp_path / "bridge.log"
    log.write_text(f"something else\n{form.format(anchor_line(note))}\n{form.format(anchor_line(note)[:-9])}\n")
    assert read_anchor(log) == [(2, note), (3, None)]


def test_a_copy_of_the_head_file_is_an_anchor_too(tmp_path: Path) -> None:
    note = Checkpoints(KEYS, None).note(HEADS, NOW)
    copy = tmp_path / "kept"
    copy.write_text(note)
    assert read_anchor(copy) == [(1, note)]
