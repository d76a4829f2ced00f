"""Random tampering: whatever is changed, taken out, put in, exchanged or chained anew is found, and found where it is."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from bridge.audit.checkpoint import head_file
from bridge.audit.findings import Finding
from bridge.audit.pins import Trust
from bridge.audit.verify import verify
from bridge.secrets.instance import InstanceKeys
from tests.unit.audit.history import History, all_rows, rehash, replace_rows

ROUNDS = 260
TEXTS = ("kind", "actor", "source", "incident", "delivery", "channel", "reason", "digest", "detail", "chain")


class Victim:
    """A sound database, and a copy of it to tamper with."""

    def __init__(self, folder: Path, history: History) -> None:
        self.original = history.path
        self.trust: Trust = history.trust
        self.keys = history.keys
        self.anchor = folder / "bridge.log"
        self.anchor.write_text("\n".join(["a line of its own", *history.anchors, ""]))
        self.signed = history.last_checkpoint
        self.copy = folder / "copy.db"

    def fresh(self) -> sqlite3.Connection:
        shutil.copyfile(self.original, self.copy)
        shutil.copyfile(head_file(self.original), head_file(self.copy))
        connection = sqlite3.connect(self.copy, isolation_level=None)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA journal_mode = MEMORY")
        return connection

    def findings(self, *, anchored: bool = False) -> tuple[Finding, ...]:
        return verify(self.copy, self.trust, anchor=self.anchor if anchored else None).findings


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    folder = tmp_path_factory.mktemp("victim")
    history = History(folder / "bridge.db", InstanceKeys.generate())
    rng = random.Random(7)
    history.start()
    history.live(rng, 14)
    history.stop()
    history.start()
    history.live(rng, 12)  # ends in a crash
    history.start()
    history.live(rng, 12)
    history.stop()
    history.execute("VACUUM")
    history.close()
    return Victim(folder, history)


def edit(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last + 1)
    if rng.random() < 0.3:
        column = rng.choice(["at", "attempt"])
        connection.execute(
            f"UPDATE audit SET {column} = {column} + ? WHERE seq = ?", (rng.choice([-1, 1, 1 << 40]), seq)
        )
    elif rng.random() < 0.1:
        connection.execute("UPDATE audit SET hash = randomblob(32) WHERE seq = ?", (seq,))
    else:
        column = rng.choice(TEXTS)
        forged = rng.choice(["", "x", "sent", "started", "ü", "a" * 300])
        connection.execute(f"UPDATE audit SET {column} = {column} || ? || 'x' WHERE seq = ?", (forged, seq))
    return seq, seq


def edit_and_rehash_one(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last)
    connection.execute("UPDATE audit SET reason = 'forged' WHERE seq = ?", (seq,))
    [row] = rehash(connection, all_rows(connection, seq)[:1])
    connection.execute("UPDATE audit SET hash = ? WHERE seq = ?", (row[-1], seq))
    return seq, seq


def delete(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    begin = rng.randrange(first, last + 1)
    end = min(last, begin + rng.choice([0, 0, 1, 5]))
    connection.execute("DELETE FROM audit WHERE seq BETWEEN ? AND ?", (begin, end))
    return begin, end


def delete_and_renumber(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last)
    rows = [(row[0] - 1, *row[1:]) for row in all_rows(connection, seq + 1)]
    replace_rows(connection, seq, rows)
    return seq, seq


def swap(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    one, other = sorted(rng.sample(range(first, last + 1), 2))
    rows = {row[0]: row for row in all_rows(connection)}
    whole = rng.random() < 0.5  # with the hash, or the content alone
    for here, there in ((one, other), (other, one)):
        moved = rows[there] if whole else (*rows[there][:-1], rows[here][-1])
        connection.execute("DELETE FROM audit WHERE seq = ?", (here,))
        marks = ", ".join("?" * len(moved))
        connection.execute(f"INSERT INTO audit VALUES ({marks})", (here, *moved[1:]))
    return one, other


def insert(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last + 2)
    rows = all_rows(connection, seq)
    model = rng.choice(all_rows(connection))
    shifted = [(row[0] + 1, *row[1:]) for row in rows]
    replace_rows(connection, seq, [(seq, *model[1:]), *shifted])
    return seq, seq


def rechain(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last + 1)
    rows = all_rows(connection, seq)
    match rng.randrange(3):
        case 0:
            row = rows[0]
            rows[0] = (*row[:4], row[4] + "forged", *row[5:])
        case 1 if len(rows) > 1:
            rows = [(row[0] - 1, *row[1:]) for row in rows[1:]]
        case _:
            rows = [rows[0], *[(row[0] + 1, *row[1:]) for row in rows]]
    replace_rows(connection, seq, rehash(connection, rows))
    return seq, last + 1


def cut_tail(connection: sqlite3.Connection, rng: random.Random, first: int, last: int) -> tuple[int, int]:
    seq = rng.randrange(first, last + 1)
    connection.execute("DELETE FROM audit WHERE seq >= ?", (seq,))
    for number, note in connection.execute("SELECT id, note FROM audit_checkpoints ORDER BY id").fetchall():
        if int(note.split("head ")[1].split()[1]) >= seq:
            connection.execute("DELETE FROM audit_checkpoints WHERE id >= ?", (number,))
            break
    return seq, last


Attack = Callable[[sqlite3.Connection, random.Random, int, int], tuple[int, int]]
"""Changes something among the records from a first to a last one; gives where."""
ATTACKS: list[Attack] = [edit, edit_and_rehash_one, delete, delete_and_renumber, swap, insert, rechain, cut_tail]


def test_the_untouched_database_holds(victim: Victim) -> None:
    victim.fresh().close()
    assert victim.findings() == ()
    assert victim.findings(anchored=True) == ()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_every_random_change_is_found_where_it_is(victim: Victim, attack: Attack) -> None:
    missed = []
    for seed in range(ROUNDS):
        with closing(victim.fresh()) as connection:
            before = all_rows(connection)
            first, last = attack(connection, random.Random(f"{attack.__name__} {seed}"), 1, len(before))
            if all_rows(connection) == before:
                continue
        findings = victim.findings()
        if not findings or not (findings[0].first <= last and first <= findings[0].last):
            missed.append((seed, first, last, findings))
    assert missed == []


def test_a_rewritten_history_is_found_between_the_checkpoints_around_it(victim: Victim) -> None:
    with closing(victim.fresh()) as connection:
        signed = [
            int(note.split("head ")[1].split()[1])
            for (note,) in connection.execute("SELECT note FROM audit_checkpoints")
        ]
    for seq in range(1, victim.signed + 1):
        with closing(victim.fresh()) as connection:
            rows = all_rows(connection, seq)
            rows[0] = (*rows[0][:4], "forged", *rows[0][5:])
            replace_rows(connection, seq, rehash(connection, rows))
        [finding, *_rest] = victim.findings()
        assert finding.first == max([0, *(end for end in signed if end < seq)]) + 1
        assert finding.last == min(end for end in signed if end >= seq)


def test_a_tail_cut_together_with_the_head_file_is_found_by_the_anchor(victim: Victim) -> None:
    for seq in range(2, victim.signed + 1, 3):
        with closing(victim.fresh()) as connection:
            cut_tail(connection, _Always(seq), 1, victim.signed)
        head_file(victim.copy).unlink()
        [finding] = victim.findings(anchored=True)
        assert (finding.first, finding.last) == (seq, victim.signed)


def test_a_history_signed_anew_with_another_key_is_found_by_the_anchor(victim: Victim, tmp_path: Path) -> None:
    forger = History(tmp_path / "forged.db", InstanceKeys.generate())
    forger.start()
    forger.live(random.Random(8), 30)
    forger.stop()
    forger.close()
    assert verify(forger.path, forger.trust).holds
    report = verify(forger.path, Trust((*forger.trust.keys, *victim.trust.keys)), anchor=victim.anchor)
    assert not report.holds
    assert "bridge.log:" in report.findings[0].what


@pytest.mark.parametrize("seed", range(60))
def test_no_checkpoint_can_be_changed_taken_out_or_exchanged(victim: Victim, seed: int) -> None:
    rng = random.Random(seed)
    with closing(victim.fresh()) as connection:
        notes = connection.execute("SELECT id, note FROM audit_checkpoints ORDER BY id").fetchall()
        number, note = rng.choice(notes[:-1])
        match seed % 3:
            case 0:
                place = rng.randrange(len(note))
                changed = note[:place] + chr(ord(note[place]) ^ 1) + note[place + 1 :]
                connection.execute("UPDATE audit_checkpoints SET note = ? WHERE id = ?", (changed, number))
            case 1:
                connection.execute("DELETE FROM audit_checkpoints WHERE id = ?", (number,))
            case _:
                other, other_note = rng.choice([pair for pair in notes if pair[0] != number])
                connection.execute("UPDATE audit_checkpoints SET note = ? WHERE id = ?", (other_note, number))
                connection.execute("UPDATE audit_checkpoints SET note = ? WHERE id = ?", (note, other))
    findings = victim.findings()
    assert findings
    assert "checkpoint" in findings[0].what


def test_text_that_is_no_text_is_a_finding_and_stops_nobody(victim: Victim) -> None:
    with closing(victim.fresh()) as connection:
        connection.execute("UPDATE audit SET detail = CAST(x'ff00fe' AS TEXT) WHERE seq = 5")
    [finding] = victim.findings()
    assert finding.first <= 5 <= finding.last


class _Always(random.Random):
    """Chooses one number, whatever is asked."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def randrange(self, *_bounds: int) -> int:  # type: ignore[override]
        return self._number
