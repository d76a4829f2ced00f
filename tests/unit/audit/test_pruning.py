"""What is left after retention pruned verifies, and every change to it is found: edits, holes, and forged headers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bridge.audit.findings import Report
from bridge.audit.pins import Trust
from bridge.audit.pruning import (
    PrunedHeader,
    PruningError,
    parse_pruned,
    pruned_detail,
)
from bridge.audit.verify import verify
from bridge.domain.audit import Kind
from bridge.domain.errors import StorageError
from bridge.engine.audit_retention import SegmentUnsound, oldest_segment, prune
from bridge.secrets.instance import InstanceKeys
from bridge.storage.sqlite_transaction import SqliteTx, drive
from bridge.storage.statements import statements
from tests.unit.audit.history import START, History, all_rows, replace_rows


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "bridge.db", InstanceKeys.generate())
    yield made
    made.close()


def lived(history: History, events: int, *, seed: int = 1, every: int = 10) -> None:
    """A chain with so many events, a checkpoint about every ten records."""
    history.start()
    history.live(random.Random(seed), events, every=every)


def pruned_once(history: History, *, kept: int = 25) -> PrunedHeader:
    """Prune everything older than so many records, which come one a second."""
    assert history.prune(history.now - timedelta(seconds=kept))
    [[detail]] = history.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1")
    return parse_pruned(str(detail)).header


def _notes(history: History) -> list[tuple[object, ...]]:
    return history.execute("SELECT note FROM audit_checkpoints ORDER BY id")


def verified(history: History) -> Report:
    return verify(history.path, history.trust)


def test_a_pruned_log_verifies_at_once_and_after_more_has_happened(history: History) -> None:
    lived(history, 40)
    header = pruned_once(history)
    report = verified(history)
    assert report.findings == ()
    assert (header.first, report.records) == (1, report.last_seq - header.last)
    history.stop()
    lived(history, 10, seed=2)
    history.stop()
    report = verified(history)
    assert report.findings == ()
    assert report.signed_through == report.last_seq


def test_pruning_again_and_again_leaves_one_header_that_counts(history: History) -> None:
    headers = []
    for round_ in range(6):
        lived(history, 20, seed=round_)
        while history.prune(history.now - timedelta(seconds=15)):
            [[detail]] = history.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1")
            headers.append(parse_pruned(str(detail)).header)
        if round_ % 2:
            history.stop()
        assert verified(history).findings == ()
    assert len(headers) >= 6
    for before, after in pairwise(headers):
        assert after.first == before.last + 1
        assert after.deliveries >= before.deliveries
        assert after.previous
        assert after.checkpoint > before.checkpoint


def test_only_whole_segments_go_and_the_newest_checkpoint_stays(history: History) -> None:
    lived(history, 30)
    signed = [int(str(note).split("head ")[1].split()[1]) for [note] in _notes(history)]
    assert history.prune(history.now + timedelta(days=1))
    [[first]] = history.execute("SELECT min(seq) FROM audit")
    assert int(str(first)) - 1 == signed[-2]
    assert len(_notes(history)) == 1
    assert not history.prune(history.now + timedelta(days=1))
    assert verified(history).findings == ()


def test_nothing_newer_than_the_cutoff_goes(history: History) -> None:
    lived(history, 60)
    cutoff = history.now - timedelta(seconds=30)
    before = {row[0]: row for row in history.execute("SELECT seq, at FROM audit")}
    assert history.prune(cutoff)
    left = {row[0] for row in history.execute("SELECT seq FROM audit")}
    gone = [row for seq, row in before.items() if seq not in left]
    assert gone
    assert max(int(str(at)) for _seq, at in gone) < int(cutoff.timestamp() * 1e6)


def test_records_written_while_the_clock_was_years_behind_do_not_make_the_others_old(history: History) -> None:
    lived(history, 10, every=1000)
    now, history.now = history.now, START - timedelta(days=400)
    history.deliver(Kind.SENT)
    history.checkpoint()
    history.now = now
    history.deliver(Kind.SENT)
    history.checkpoint()
    assert not history.prune(START - timedelta(days=90))


def test_a_pruning_takes_no_more_than_one_transaction_should(history: History) -> None:
    lived(history, 6000, every=500)
    header = pruned_once(history, kept=1)
    assert 3000 < header.last <= 5500
    assert verified(history).findings == ()


def test_of_two_that_prune_the_same_the_second_does_nothing(history: History) -> None:
    lived(history, 40)
    tx = SqliteTx(history._connection, statements("sqlite"))
    segment = drive(lambda tx: oldest_segment(tx, history.now), tx)
    assert segment is not None
    assert drive(lambda tx: prune(tx, segment, history.now, history.keys, shared=False), tx)
    assert not drive(lambda tx: prune(tx, segment, history.now, history.keys, shared=False), tx)
    assert len(tx.records) == 1


@pytest.mark.parametrize(
    "tamper",
    [
        "UPDATE audit SET hash = randomblob(32) WHERE seq = (SELECT max(seq) FROM audit WHERE seq <= ?)",
        "DELETE FROM audit WHERE seq = ? - 3",
        "UPDATE audit SET chain = 'forged' WHERE seq = ?",
    ],
)
def test_records_that_are_not_those_that_were_signed_are_evidence_and_stay(history: History, tamper: str) -> None:
    lived(history, 60)
    [[note]] = history.execute("SELECT note FROM audit_checkpoints ORDER BY id LIMIT 1")
    seq = int(str(note).split("head ")[1].split()[1])
    history.execute(tamper, seq)
    with pytest.raises(SegmentUnsound):
        history.prune(history.now - timedelta(seconds=200) if seq > 100 else START + timedelta(seconds=seq + 5))


def test_without_any_key_a_pruning_cannot_be_judged(history: History) -> None:
    lived(history, 40)
    pruned_once(history)
    history.execute("DELETE FROM audit_checkpoints")
    with pytest.raises(StorageError, match="no key"):
        verify(history.path, Trust(()))


def test_a_pruning_signed_with_the_key_from_before_the_keyring_counts_only_before_it(tmp_path: Path) -> None:
    old, new = InstanceKeys.generate(), InstanceKeys.generate()
    history = History(tmp_path / "bridge.db", old)
    lived(history, 40)
    pruned_once(history)
    history._checkpoints._keys = history.keys = new
    history.stop()
    trust = Trust(new.verifiers, old.verifiers)
    assert verify(history.path, trust).findings == ()
    lived(history, 10)
    pruned_once(history)
    assert verify(history.path, trust).findings == ()
    history.keys = old
    pruned_once(history, kept=1)
    history.close()
    assert any("keyring's was in use already" in found.what for found in verify(history.path, trust).findings)


def test_the_damaged_detail_of_a_pruning_is_no_header() -> None:
    keys = InstanceKeys.generate()
    header = msgspec.json.decode(
        b'{"first":1,"last":2,"since":1,"until":2,"heads":[{"chain":"c","seq":2,"hash":"' + b"00" * 32 + b'"}],'
        b'"checkpoint":1,"checkpoint_digest":"x"}',
        type=PrunedHeader,
    )
    detail = pruned_detail(header, keys)
    assert parse_pruned(detail).require_signed(keys.verifiers) == keys.verifiers[0]
    for damaged in (
        "",
        "{}",
        "[" * 5000,
        detail[:-3],
        detail.replace('"last":2', '"last":3'),
        detail.replace("0000", ""),
    ):
        with pytest.raises(PruningError):
            parse_pruned(damaged)
    with pytest.raises(PruningError):
        parse_pruned(detail).require_signed(InstanceKeys.generate().verifiers)
    with pytest.raises(PruningError):
        parse_pruned(detail.replace('"since":1', '"since":0')).require_signed(keys.verifiers)


def test_what_was_pruned_cannot_be_put_back(history: History) -> None:
    lived(history, 40)
    rows = all_rows(history._connection)
    header = pruned_once(history)
    assert verified(history).holds
    replace_rows(
        history._connection, header.last, [rows[header.last - 1], *all_rows(history._connection, header.last + 1)]
    )
    assert "although `pruned` says that it is gone" in verified(history).findings[0].what


def test_a_delivery_of_which_a_record_is_left_must_be_there(history: History) -> None:
    history.start()
    delivery = history.deliver(Kind.RETRY)
    history.checkpoint()
    history.record(history._fact(Kind.SENT, delivery=str(delivery), attempt=2))
    history.execute("UPDATE deliveries SET state = 'sent', attempts = 2 WHERE id = ?", delivery)
    history.checkpoint()
    assert pruned_once(history, kept=0).deliveries == delivery
    assert verified(history).holds
    history.execute("UPDATE deliveries SET attempts = 3 WHERE id = ?", delivery)
    assert "had 3 attempts" in verified(history).findings[0].what
    history.execute("DELETE FROM deliveries WHERE id = ?", delivery)
    assert f"delivery {delivery}, which is not there" in verified(history).findings[0].what
