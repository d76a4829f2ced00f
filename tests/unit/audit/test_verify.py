from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.audit.chain import Chain, Head, genesis
from bridge.audit.checkpoint import head_file
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.domain.audit import Kind, Record
from bridge.domain.errors import StorageError
from bridge.secrets.instance import InstanceKeys
from bridge.storage.audit_log import open_audit_log
from bridge.storage.sqlite import SqliteDatabase
from bridge.storage.transaction import Tx
from tests.unit.audit.history import START, History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    made = History(tmp_path / "bridge.db", InstanceKeys.generate())
    yield made
    made.close()


def test_an_empty_log_holds(history: History) -> None:
    report = verify(history.path, history.trust)
    assert report.holds
    assert (report.records, report.notes) == (0, ())


def test_an_orderly_history_holds_and_is_signed_to_its_end(history: History) -> None:
    for seed in range(3):
        history.start()
        history.live(random.Random(seed), 10)
        history.stop()
    report = verify(history.path, history.trust)
    assert report.holds
    assert (report.chains, report.notes) == (3, ())
    assert report.records == report.last_seq == report.signed_through == history.head.seq


def test_a_crash_is_told_and_is_no_fault(history: History) -> None:
    history.start()
    history.live(random.Random(1), 5)
    end = history.head.seq
    history.start()
    history.stop()
    report = verify(history.path, history.trust)
    assert report.holds
    assert report.notes == (f"the chain that ends with record {end} has no `stopped`: a crash",)


def test_records_after_the_last_checkpoint_of_a_running_bridge_are_normal(history: History) -> None:
    history.start()
    history.checkpoint()
    history.deliver(Kind.SENT)
    report = verify(history.path, history.trust)
    assert report.holds
    assert report.signed_through == 1
    assert any("is running, or it crashed" in note for note in report.notes)
    assert any("records 2 to 2 came after the last checkpoint" in note for note in report.notes)


def test_a_kind_of_a_newer_version_is_accepted(history: History) -> None:
    history.start()
    history.record(Record(at=START, kind="of_tomorrow"))  # type: ignore[arg-type] - what a newer bridge writes
    history.stop()
    assert verify(history.path, history.trust).holds


def test_a_restored_database_is_told_of(history: History) -> None:
    history.start()
    history.record(Record(at=START, kind=Kind.RESTORED, reason="audit_head"))
    history.stop()
    report = verify(history.path, history.trust)
    assert report.holds
    assert report.notes[0].startswith("record 2: the bridge found its database older")


def test_nothing_may_follow_stopped_in_its_chain(history: History) -> None:
    history.start()
    history.stop()
    history.record(Record(at=START, kind=Kind.COMMENTED))
    [finding] = verify(history.path, history.trust).findings
    assert (finding.first, finding.last) == (3, 3)


def test_a_first_chain_that_claims_a_predecessor_is_found(history: History) -> None:
    chain = Chain("c1")
    rows = chain.seal([genesis(START, Head("c0", 0, b"h" * 32))])
    history.execute(f"INSERT INTO audit VALUES ({', '.join('?' * 14)})", *rows[0])
    [finding] = verify(history.path, history.trust).findings
    assert finding.first == finding.last == 1


def test_a_head_file_of_a_crash_between_commit_and_writing_holds(history: History) -> None:
    history.start()
    history.checkpoint()
    older = head_file(history.path).read_text()
    history.stop()
    head_file(history.path).write_text(older)
    assert verify(history.path, history.trust).holds


def test_a_missing_head_file_is_a_fault_unless_an_anchor_vouches_for_the_end(history: History, tmp_path: Path) -> None:
    history.start()
    history.checkpoint()
    history.stop()
    head_file(history.path).unlink()
    [finding] = verify(history.path, history.trust).findings
    assert ".audit-head" in finding.what
    log = tmp_path / "log"
    log.write_text("\n".join(history.anchors))
    assert verify(history.path, history.trust, anchor=log).holds


def test_an_anchor_without_any_checkpoint_proves_nothing(history: History, tmp_path: Path) -> None:
    history.start()
    history.stop()
    log = tmp_path / "log"
    log.write_text("hello\n")
    [finding] = verify(history.path, history.trust, anchor=log).findings
    assert "no checkpoint" in finding.what


def test_without_any_key_signed_checkpoints_cannot_be_judged(history: History) -> None:
    history.start()
    history.stop()
    with pytest.raises(StorageError, match="no key"):
        verify(history.path, Trust(()))


def test_keys_from_before_the_keyring_count_until_the_keyring_signs(tmp_path: Path) -> None:
    old, new = InstanceKeys.generate(), InstanceKeys.generate()
    history = History(tmp_path / "bridge.db", old)
    history.start()
    history.checkpoint()
    assert verify(history.path, Trust(new.verifiers, old.verifiers)).holds
    history._checkpoints._keys = new
    history.stop()
    assert verify(history.path, Trust(new.verifiers, old.verifiers)).holds
    history._checkpoints._keys = old
    history.start()
    history.checkpoint()
    history.close()
    report = verify(history.path, Trust(new.verifiers, old.verifiers))
    assert next(finding.what.partition(":")[0] for finding in report.findings) == "checkpoint 3"


@pytest.mark.parametrize(
    ("tamper", "what"),
    [
        ("UPDATE deliveries SET state = 'dead' WHERE id = 2", "delivery 2 is dead"),
        ("UPDATE deliveries SET state = 'pending' WHERE id = 3", "delivery 3 is pending"),
        ("UPDATE deliveries SET attempts = 1 WHERE id = 2", "delivery 2 had 1 attempts"),
        ("DELETE FROM deliveries WHERE id = 2", "delivery 2, which is not there"),
        ("UPDATE deliveries SET id = 9 WHERE id = 3", "delivery 3, which is not there"),
        ("UPDATE deliveries SET id = 9 WHERE id = 4", "delivery 9 is expired, its records tell no end"),
    ],
)
def test_a_delivery_that_was_changed_taken_out_or_put_in_is_found(history: History, tamper: str, what: str) -> None:
    history.start()
    for _ in range(3):
        history.deliver(Kind.RETRY, Kind.SENT)
    history.deliver()
    history.stop()
    assert verify(history.path, history.trust).holds
    history.execute("UPDATE deliveries SET state = 'expired' WHERE id = 4")
    if "id = 4" not in tamper:
        history.execute("DELETE FROM deliveries WHERE id = 4")
    history.execute(tamper)
    [finding] = verify(history.path, history.trust).findings
    assert what in finding.what


def test_a_file_that_is_no_database_cannot_be_judged(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    with pytest.raises(StorageError, match="there is no database"):
        verify(path, Trust(()))
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(StorageError, match="cannot be read"):
        verify(path, Trust(()))


def test_reading_can_change_nothing(history: History) -> None:
    with open_audit_log(history.path) as log, pytest.raises(Exception, match=r"readonly|read-only"):
        log._connection.execute("DELETE FROM audit")


async def test_a_log_that_is_being_written_verifies_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "bridge.db"
    database = await SqliteDatabase.open(path)
    chain = Chain.start("c1", None)
    database.chain(chain)  # type: ignore[arg-type]

    def unit(record: Record) -> object:
        async def write(tx: Tx) -> None:
            tx.record(record)

        return write

    await database.write(unit(genesis(START, None)))  # type: ignore[arg-type]
    stop = threading.Event()
    reports = []

    def judge() -> None:
        while not stop.is_set():
            reports.append(verify(path, Trust(())))

    judging = asyncio.create_task(asyncio.to_thread(judge))
    for _ in range(300):
        await database.write(unit(Record(at=START, kind=Kind.RECEIVED)))  # type: ignore[arg-type]
    stop.set()
    await judging
    await database.close()
    assert [report.findings for report in reports if not report.holds] == []
    assert verify(path, Trust(())).records == 301
    assert len({report.records for report in reports}) > 1
