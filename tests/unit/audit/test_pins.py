from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge.audit.chain import Head
from bridge.audit.checkpoint import Checkpoints, digest
from bridge.audit.pins import Pins, Trust
from bridge.audit.pruning import ChainEnd, PrunedHeader
from bridge.secrets.instance import InstanceKeys

NOW = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = InstanceKeys.generate()


def _notes(count: int, mark: bytes = b"a") -> list[str]:
    checkpoints, notes = Checkpoints(KEYS, None), []
    for seq in range(1, count + 1):
        notes.append(checkpoints.note([Head("c1", seq, mark * 32)], NOW))
        checkpoints.committed(notes[-1])
    return notes


def _judged(*notes: str, header: PrunedHeader | None = None) -> Pins:
    pins = Pins(Trust(KEYS.verifiers))
    pins.add_stored([(0, 0, note) for note in notes], header, advance=lambda _done: None)
    return pins


def _pruned(notes: list[str], number: int) -> PrunedHeader:
    end = ChainEnd("c1", number, "61" * 32)
    return PrunedHeader(1, number, 0, 0, (end,), number, digest(notes[number - 1]))


def test_checkpoints_in_order_pin_their_heads() -> None:
    pins = _judged(*_notes(3))
    assert pins.findings == []
    assert [(pin.seq, pin.hash[:1], pin.source) for pin in pins.pins] == [
        (number, b"a", f"checkpoint {number}") for number in (1, 2, 3)
    ]


def test_two_histories_signed_with_one_key_cannot_be_mixed() -> None:
    honest, forked = _notes(3), _notes(3, b"b")
    [finding] = _judged(honest[0], forked[1]).findings
    assert "does not follow" in finding.what


@pytest.mark.parametrize("order", [(0, 2), (1, 2), (0, 2, 1), (0, 0, 1)])
def test_checkpoints_taken_out_exchanged_or_doubled_are_found(order: tuple[int, ...]) -> None:
    notes = _notes(3)
    assert "does not follow" in _judged(*(notes[place] for place in order)).findings[0].what


def test_after_pruning_the_oldest_checkpoints_are_gone_and_no_other() -> None:
    notes = _notes(4)
    assert _judged(*notes[2:], header=_pruned(notes, 2)).findings == []
    assert "comes checkpoint 4" in _judged(*notes[3:], header=_pruned(notes, 2)).findings[0].what
    assert "comes checkpoint 2" in _judged(*notes[1:], header=_pruned(notes, 2)).findings[0].what
    forked = _notes(4, b"b")
    assert "does not follow" in _judged(*forked[2:], header=_pruned(notes, 2)).findings[0].what


def test_a_head_file_newer_than_every_stored_checkpoint_tells_of_a_cut() -> None:
    notes = _notes(3)
    pins = _judged(*notes[:2])
    pins.add_head(notes[2], required=True)
    assert "its end was cut off" in pins.findings[0].what


def test_a_head_file_older_than_the_newest_checkpoint_is_no_fault() -> None:
    notes = _notes(3)
    pins = _judged(*notes)
    pins.add_head(notes[1], required=True)
    assert pins.findings == []


def test_a_line_of_an_outside_log_that_no_trusted_key_signed_is_named() -> None:
    pins = Pins(Trust(InstanceKeys.generate().verifiers))
    pins.add_anchor(Path("bridge.log"), [(17, _notes(1)[0])])
    assert pins.findings[0].what.startswith("bridge.log:17: no trusted key")


def test_an_outside_log_with_nothing_readable_proves_nothing_and_one_cut_line_is_a_note() -> None:
    pins = Pins(Trust(KEYS.verifiers))
    pins.add_anchor(Path("bridge.log"), [(3, None)])
    assert "no checkpoint that can be read" in pins.findings[0].what
    pins = Pins(Trust(KEYS.verifiers))
    pins.add_anchor(Path("bridge.log"), [(2, _notes(1)[0]), (3, None)])
    assert (pins.findings, len(pins.notes)) == ([], 1)
