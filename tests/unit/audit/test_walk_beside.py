"""Chains that stand side by side: several bridges on one database, numbered without a gap over all of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from bridge.audit.chain import Chain, Head, SealedRow, genesis
from bridge.audit.pins import Pin
from bridge.audit.pruning import ChainEnd, PrunedHeader
from bridge.audit.walk import Walk
from bridge.domain.audit import Kind, Record
from bridge.storage.audit_log import RawRow

NOW = datetime(2026, 3, 1, tzinfo=UTC)


class Log:
    """The table `audit`, as several bridges write it."""

    def __init__(self) -> None:
        self.rows: list[SealedRow] = []

    @property
    def newest(self) -> Head | None:
        return Head(self.rows[-1][1], self.rows[-1][0], self.rows[-1][-1]) if self.rows else None

    def start(self, name: str) -> Chain:
        chain = Chain(name)
        self.write(chain, genesis(NOW, self.newest))
        return chain

    def write(self, chain: Chain, *records: Record) -> None:
        self.rows += chain.seal(records, after=len(self.rows))
        chain.commit()

    def renew(self, chain: Chain, record: Record) -> None:
        newest = self.newest
        first = chain.renew(NOW, None if newest is None else (newest.seq, newest.chain, newest.hash))
        self.write(chain, first, record)


def fact(text: str = "", kind: Kind = Kind.RECEIVED) -> Record:
    return Record(NOW, kind, source="prometheus", delivery="7", attempt=1, detail=text)


def raw(row: SealedRow) -> RawRow:
    seq, chain, at, kind, actor, source, incident, delivery, channel, attempt, reason, digest, detail, hashed = row
    texts = (chain, kind, actor, source, incident, delivery, channel, reason, digest, detail)
    return (seq, at, attempt, hashed, *(text.encode() for text in texts))


def walked(
    rows: list[SealedRow], *, shared: bool = True, header: PrunedHeader | None = None, pins: tuple[Pin, ...] = ()
) -> Walk:
    walk = Walk(pins, header, shared=shared)
    walk.run(map(raw, rows), lambda _done: None)
    return walk


@pytest.fixture
def log() -> Log:
    """Three bridges; the second stops, the third starts in between."""
    made = Log()
    first = made.start("one")
    second = made.start("two")
    for turn in range(3):
        made.write(first, fact(f"one {turn}"))
        made.write(second, fact(f"two {turn}"), fact(f"two {turn} again"))
    made.write(second, fact(kind=Kind.STOPPED))
    third = made.start("three")
    made.write(first, fact("one last"))
    made.write(third, fact("three last"))
    return made


def test_chains_side_by_side_hold(log: Log) -> None:
    walk = walked(log.rows)
    assert walk.finding is None
    assert (walk.records, walk.chains) == (len(log.rows), 3)
    assert walk.running == "chains without a `stopped`: 2; their bridges are running, or they crashed"


def test_on_a_database_of_one_bridge_they_do_not(log: Log) -> None:
    finding = walked(log.rows, shared=False).finding
    assert finding is not None
    assert finding.last == 3


@pytest.mark.parametrize("column", range(14))
def test_every_column_of_every_record_is_under_a_hash(log: Log, column: int) -> None:
    for place in range(len(log.rows)):
        row = list(log.rows[place])
        old = row[column]
        row[column] = old + 1 if isinstance(old, int) else old + (b"x" if isinstance(old, bytes) else "x")
        finding = walked([*log.rows[:place], tuple(row), *log.rows[place + 1 :]]).finding  # type: ignore[list-item]
        assert finding is not None, (place, column)
        assert finding.first <= place + 2, (place, column)


def test_a_record_that_is_taken_out_leaves_a_gap(log: Log) -> None:
    for place in range(len(log.rows) - 1):
        finding = walked([*log.rows[:place], *log.rows[place + 1 :]]).finding
        assert finding is not None
        assert (finding.first, finding.last) == (place + 1, place + 1)


def test_records_that_change_places_are_found(log: Log) -> None:
    for place in range(len(log.rows) - 1):
        earlier, later = log.rows[place], log.rows[place + 1]
        swapped = [(earlier[0], *later[1:]), (later[0], *earlier[1:])]
        assert walked([*log.rows[:place], *swapped, *log.rows[place + 2 :]]).finding is not None  # type: ignore[list-item]


def test_nothing_follows_the_stopped_of_a_chain() -> None:
    log = Log()
    first, second = log.start("one"), log.start("two")
    log.write(first, fact(kind=Kind.STOPPED))
    log.write(second, fact())
    log.write(first, fact("a ghost"))
    finding = walked(log.rows).finding
    assert finding is not None
    assert "follows the `stopped` of its own chain" in finding.what
    assert finding.first == len(log.rows)


def test_a_new_chain_names_the_newest_record_of_all() -> None:
    log = Log()
    first = log.start("one")
    before = log.newest
    log.write(first, fact())
    log.write(Chain("two"), genesis(NOW, before))
    finding = walked(log.rows).finding
    assert finding is not None
    assert "does not follow record 2" in finding.what


def test_after_an_unknown_commit_the_old_chain_is_closed() -> None:
    log = Log()
    second = log.start("two")
    first = log.start("one")
    log.write(first, fact())
    zombie = Chain("one", 3, log.rows[-1][-1])
    log.renew(first, fact("in the new chain"))
    log.write(second, fact())
    assert walked(log.rows).finding is None
    assert "began a new chain" in walked(log.rows).notes[0]
    log.write(zombie, fact("in the old one"))
    finding = walked(log.rows).finding
    assert finding is not None
    assert finding.first == len(log.rows)


def test_a_checkpoint_vouches_for_the_head_of_every_chain(log: Log) -> None:
    heads = {row[1]: row for row in log.rows}
    pins = tuple(Pin(row[0], row[1], row[-1], "checkpoint 1") for row in heads.values())
    assert walked(log.rows, pins=pins).finding is None
    forged = tuple(Pin(row[0], row[1], b"x" * 32, "checkpoint 1") for row in heads.values())
    assert walked(log.rows, pins=forged).finding is not None


@pytest.mark.parametrize("cut", range(2, 10))
def test_after_a_pruning_every_chain_goes_on_where_it_was(log: Log, cut: int) -> None:
    ends = {row[1]: row for row in log.rows[:cut]}
    heads = tuple(ChainEnd(row[1], row[0], row[-1].hex()) for row in sorted(ends.values()))
    header = PrunedHeader(1, cut, 0, 0, heads, 1, "")
    assert walked(log.rows[cut:], header=header).finding is None
    wrong = PrunedHeader(1, cut, 0, 0, tuple(ChainEnd(end.chain, end.seq, "00" * 32) for end in heads), 1, "")
    assert walked(log.rows[cut:], header=wrong).finding is not None
