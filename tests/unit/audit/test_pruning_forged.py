"""What is left after a pruning is tampered with, and holes are passed off as retention: all of it is found."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta

import msgspec
import pytest

from bridge.audit.chain import Chain, Head, SealedRow, genesis
from bridge.audit.checkpoint import digest
from bridge.audit.pruning import ChainEnd, Pruned, PrunedHeader, parse_pruned, pruned_detail, pruned_record
from bridge.secrets.instance import InstanceKeys
from tests.unit.audit.history import START, History, all_rows, rehash, replace_rows
from tests.unit.audit.test_tampering import ATTACKS, ROUNDS, Attack, Victim


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Victim:
    """A history over four starts that was pruned three times, the newest records signed."""
    folder = tmp_path_factory.mktemp("pruned")
    history = History(folder / "bridge.db", InstanceKeys.generate())
    for seed in range(4):
        history.start()
        history.live(random.Random(seed), 16)
        if seed:
            assert history.prune(history.now - timedelta(seconds=20))
            history.live(random.Random(seed + 50), 4)
        if seed % 2:
            history.stop()
    history.execute("VACUUM")
    history.close()
    return Victim(folder, history)


def test_the_untouched_pruned_database_holds(victim: Victim) -> None:
    victim.fresh().close()
    assert victim.findings() == ()
    assert victim.findings(anchored=True) == ()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_every_random_change_to_what_is_left_is_found(victim: Victim, attack: Attack) -> None:
    missed = []
    for seed in range(ROUNDS):
        with closing(victim.fresh()) as connection:
            before = all_rows(connection)
            first, last = attack(connection, random.Random(f"{attack.__name__} {seed}"), before[0][0], before[-1][0])
            after = all_rows(connection)
        if after == before:
            continue
        findings = victim.findings()
        # Without the newest header nobody knows where the log should begin.
        there = _headers(after) != _headers(before) or (
            findings and findings[0].first <= last + 1 and first <= findings[0].last
        )
        if not findings or not there:
            missed.append((seed, first, last, findings))
    assert missed == []


def _headers(rows: list[SealedRow]) -> list[SealedRow]:
    return [row for row in rows if row[3] == "pruned"]


Forgery = Callable[[sqlite3.Connection, random.Random, InstanceKeys], None]


def _newest_header(connection: sqlite3.Connection) -> PrunedHeader:
    [detail] = connection.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1").fetchone()
    return parse_pruned(detail).header


def _cut(connection: sqlite3.Connection, rng: random.Random) -> PrunedHeader:
    """Take out the oldest records up to one of them, and say truthfully what was taken."""
    rows = all_rows(connection)
    header = _newest_header(connection)
    row = rng.choice(rows[:-8])
    notes = connection.execute("SELECT id, note FROM audit_checkpoints ORDER BY id").fetchall()
    gone = [(number, note) for number, note in notes if int(note.split("head ")[1].split()[1]) <= row[0]]
    connection.execute("DELETE FROM audit WHERE seq <= ?", (row[0],))
    connection.execute("DELETE FROM audit_checkpoints WHERE id <= ?", (gone[-1][0] if gone else 0,))
    return msgspec.structs.replace(
        header,
        first=rows[0][0],
        last=row[0],
        heads=(ChainEnd(row[1], row[0], row[-1].hex()),),
        checkpoint=header.checkpoint + len(gone),
        checkpoint_digest=digest(gone[-1][1]) if gone else header.checkpoint_digest,
        deliveries=10_000,
    )


def _append(connection: sqlite3.Connection, detail: str) -> None:
    """Write the newest record as a bridge that was started for it would."""
    seq, chain, *_facts, hashed = all_rows(connection)[-1]
    records = [genesis(START, Head(chain, seq, hashed)), pruned_record(START, detail)]
    replace_rows(connection, seq + 1, Chain("forged", seq).seal(records))


def with_a_key_of_his_own(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    _append(connection, pruned_detail(_cut(connection, rng), InstanceKeys.generate()))


def with_the_signature_of_another(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    [detail] = connection.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1").fetchone()
    forged = Pruned(_cut(connection, rng), parse_pruned(detail).signature)
    _append(connection, msgspec.json.encode(forged).decode())


def with_the_header_before(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    """Replay a genuine one."""
    [detail] = connection.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq LIMIT 1").fetchone()
    _cut(connection, rng)
    _append(connection, detail)


def with_the_newest_header_again(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    [detail] = connection.execute("SELECT detail FROM audit WHERE kind = 'pruned' ORDER BY seq DESC LIMIT 1").fetchone()
    _cut(connection, rng)
    _append(connection, detail)


def in_the_newest_header_itself(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    """Change a genuine one, and everything after it so that the chain holds: what comes after the last checkpoint."""
    header = _cut(connection, rng)
    rows = all_rows(connection)
    place = max(at for at, row in enumerate(rows) if row[3] == "pruned")
    detail = msgspec.json.encode(Pruned(header, parse_pruned(rows[place][12]).signature)).decode()
    rows[place] = (*rows[place][:12], detail, rows[place][13])
    replace_rows(connection, rows[place][0], rehash(connection, rows[place:]))


def without_a_word(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    _cut(connection, rng)


def with_a_header_that_is_none(connection: sqlite3.Connection, rng: random.Random, keys: InstanceKeys) -> None:
    _cut(connection, rng)
    _append(connection, rng.choice(["", "{}", "null", "retention"]))


FORGERIES: list[Forgery] = [
    with_a_key_of_his_own,
    with_the_signature_of_another,
    with_the_header_before,
    with_the_newest_header_again,
    in_the_newest_header_itself,
    without_a_word,
    with_a_header_that_is_none,
]


@pytest.mark.parametrize("forgery", FORGERIES, ids=lambda forgery: forgery.__name__)
def test_every_hole_that_retention_did_not_make_is_found(victim: Victim, forgery: Forgery) -> None:
    missed = []
    for seed in range(100):
        with closing(victim.fresh()) as connection:
            forgery(connection, random.Random(f"{forgery.__name__} {seed}"), victim.keys)
        if not victim.findings():
            missed.append(seed)
    assert missed == []


def test_the_same_cut_signed_with_the_bridges_own_key_would_hold(victim: Victim) -> None:
    """So it is the signature that finds the forgeries above, and nothing that was done carelessly."""
    held = 0
    for seed in range(100):
        with closing(victim.fresh()) as connection:
            _append(connection, pruned_detail(_cut(connection, random.Random(seed)), victim.keys))
        held += not victim.findings()
    assert held > 20


@pytest.mark.parametrize("seed", range(60))
def test_no_checkpoint_that_is_left_can_be_changed_taken_out_or_exchanged(victim: Victim, seed: int) -> None:
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
                connection.execute("DELETE FROM audit_checkpoints WHERE id <= ?", (number,))
    assert "checkpoint" in victim.findings()[0].what
