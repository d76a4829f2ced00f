from __future__ import annotations

import hashlib
import json
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.audit.chain import ZERO, Chain, Head, chain_prefix, entry_hash, genesis
from bridge.domain.audit import Kind, Record
from bridge.domain.moment import micros

AT = datetime(2026, 3, 1, 8, 0, 0, 123456, tzinfo=UTC)
texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
cells = st.tuples(*[texts.map(str.encode)] * 9)


def _reference(chain: str, previous: bytes, row: tuple[object, ...]) -> bytes:
    """The format as the module's text describes it, written a second time."""
    seq, _chain, at, *columns = row[:-1]
    attempt = columns.pop(6)
    encoded = [str(column).encode() for column in columns]
    message = b"\x00" + struct.pack(">I", len(chain)) + chain.encode() + struct.pack(">Q", seq) + previous
    message += struct.pack(">qq", at, attempt) + b"".join(struct.pack(">I", len(cell)) for cell in encoded)
    return hashlib.sha256(message + b"".join(encoded)).digest()


def test_hashes_follow_the_documented_format() -> None:
    rows = Chain("c1", 41, b"h" * 32).seal([Record(at=AT, kind=Kind.SENT, delivery="7", attempt=3, detail="naïve")])
    assert rows[0][:3] == (42, "c1", micros(AT))
    assert rows[0][-1] == _reference("c1", b"h" * 32, rows[0])


def test_each_record_hangs_on_the_one_before() -> None:
    chain = Chain("c1")
    first, second = chain.seal([Record(at=AT, kind=Kind.OPENED), Record(at=AT, kind=Kind.SENT)])
    assert first[-1] == _reference("c1", ZERO, first)
    assert second[-1] == _reference("c1", first[-1], second)


def test_a_rolled_back_transaction_leaves_no_trace_in_the_chain() -> None:
    record = Record(at=AT, kind=Kind.OPENED)
    chain, other = Chain("c1"), Chain("c1")
    chain.seal([record, record])
    chain.rollback()
    assert chain.head == Head("c1", 0, ZERO)
    assert chain.seal([record]) == other.seal([record])


def test_only_a_commit_moves_the_head_and_several_seals_make_one_transaction() -> None:
    chain = Chain("c1")
    [first] = chain.seal([Record(at=AT, kind=Kind.OPENED)])
    [second] = chain.seal([Record(at=AT, kind=Kind.SENT)])
    assert chain.head.seq == 0
    chain.commit()
    assert chain.head == Head("c1", 2, second[-1])
    assert (first[0], second[0]) == (1, 2)


def test_a_new_chain_numbers_on_and_its_genesis_names_the_end_of_the_one_before() -> None:
    before = Head("c1", 9, b"h" * 32)
    [row] = Chain.start("c2", before).seal([genesis(AT, before, {"version": "1"})])
    assert row[:4] == (10, "c2", micros(AT), "started")
    assert json.loads(row[12]) == {"previous": {"chain": "c1", "seq": 9, "hash": "68" * 32}, "version": "1"}
    assert row[-1] == _reference("c2", ZERO, row)


def test_a_lone_surrogate_is_replaced_and_fails_nothing() -> None:
    [row] = Chain("c1").seal([Record(at=AT, kind=Kind.COMMENTED, detail="odd \ud800 text")])
    assert row[12] == "odd ? text"
    assert row[-1] == _reference("c1", ZERO, row)


def test_a_nul_is_replaced_because_a_log_must_fit_either_database() -> None:
    rows = Chain("c1").seal(
        [Record(at=AT, kind=Kind.COMMENTED, detail="odd \0 text"), Record(at=AT, kind=Kind.COMMENTED)]
    )
    assert rows[0][12] == "odd \ufffd text"
    assert rows[0][-1] == _reference("c1", ZERO, rows[0])


@settings(deadline=None)
@given(one=st.tuples(texts, st.integers(0, 3), cells), other=st.tuples(texts, st.integers(0, 3), cells))
def test_two_entries_never_share_a_hash_input(
    one: tuple[str, int, tuple[bytes, ...]], other: tuple[str, int, tuple[bytes, ...]]
) -> None:
    hashes = [
        entry_hash(chain_prefix(chain.encode()), ZERO, 1, 2, attempt, columns)
        for chain, attempt, columns in (one, other)
    ]
    assert (hashes[0] == hashes[1]) == (one == other)


@pytest.mark.parametrize("moved", range(8))
def test_text_moved_from_one_column_to_the_next_changes_the_hash(moved: int) -> None:
    columns = [b"ab"] * 9
    shifted = [*columns]
    shifted[moved], shifted[moved + 1] = b"a", b"bab"
    prefix = chain_prefix(b"c1")
    assert entry_hash(prefix, ZERO, 1, 2, 3, columns) != entry_hash(prefix, ZERO, 1, 2, 3, shifted)
