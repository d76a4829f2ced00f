"""Each part of the bridge stopped in turn: it is named, the fallback is told once, the heartbeat stops, and all is well again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.planting import Beats, listening, planted, together
from tests.faults.receiver import Receiver
from tests.faults.serving import ask, audit, ended, metric, post, troubles, until, verified


@pytest.fixture
def beats() -> Iterator[Beats]:
    with listening() as beats:
        yield beats


def words(receiver: Receiver, about: str) -> list[str]:
    """What the fallback was told about something: the first words of each notice."""
    return [summary for summary in receiver.summaries if about in summary]


def comes_and_goes(folder: Path, fault: str, trouble: str, title: str, receiver: Receiver, beats: Beats) -> None:
    """Plant the fault and take it away again; all that must follow from either follows, once."""
    with planted(folder / fault, receiver, beats) as bridge:
        beats.more()
        bridge.plant(fault)
        assert post(bridge, "meanwhile").status == 200
        until(lambda: bridge.names(trouble))
        until(lambda: len(words(receiver, title)) == 1)
        assert beats.silent()
        assert metric(bridge, f'alertbridge_troubles{{kind="{trouble.split(maxsplit=1)[0]}"}}') == 1
        assert ask(bridge, "GET", "/-/ready").status == 200
        bridge.unplant(fault)
        until(lambda: not bridge.names(trouble))
        until(lambda: len(words(receiver, title)) == 2)
        beats.more()
        until(lambda: receiver.names() == {"meanwhile"})
        until(lambda: receiver.names("/pager") == {"meanwhile"})
        assert [word.startswith("over: ") for word in words(receiver, title)] == [False, True]
        assert bridge.stop() == 0
        verified(bridge)


def test_a_part_that_stands_still_is_named_told_of_and_silences_the_heartbeat_until_it_moves(tmp_path: Path) -> None:
    together(
        *(
            partial(comes_and_goes, tmp_path, *words)
            for words in (
                ("sender-hangs", "stage_stalled sender", "sender stands still"),
                ("sweeper-dies", "stage_stalled sweeper", "sweeper stands still"),
                ("backlog-hangs", "stage_stalled backlog", "backlog stands still"),
                ("timekeeper-skips", "escalation_overdue step", "escalations do not move"),
            )
        )
    )


def test_an_audit_that_nobody_signs_is_told_of_and_the_heart_goes_on(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats) as bridge:
        bridge.plant("nobody-signs")
        assert post(bridge, "A").status == 200
        until(lambda: bridge.names("checkpoint_overdue"))
        until(lambda: len(words(receiver, "the audit is not signed")) == 1)
        beats.more()
        bridge.unplant("nobody-signs")
        until(lambda: len(words(receiver, "the audit is not signed")) == 2)
        assert bridge.stop() == 0


def test_commits_that_fail_are_told_of_though_nothing_can_be_written_down(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats) as bridge:
        beats.more()
        bridge.plant("commits-fail")
        assert post(bridge, "A").status == 503
        until(lambda: bridge.names("database_fails"))
        until(lambda: len(words(receiver, "the database fails")) == 1)
        assert beats.silent()
        assert ask(bridge, "GET", "/-/ready").status == 503
        bridge.unplant("commits-fail")
        until(lambda: len(words(receiver, "the database fails")) == 2)
        beats.more()
        assert post(bridge, "A").status == 200
        assert bridge.stop() == 0
        verified(bridge)


def test_a_writer_that_died_ends_the_process_after_a_last_word_and_nothing_is_lost(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats) as bridge:
        receiver.closed = True
        assert post(bridge, "A").status == 200
        receiver.closed = False
        bridge.plant("writer-dies")
        assert ended(bridge) == 1
        assert len(words(receiver, "nothing can be kept")) == 1
        bridge.unplant("writer-dies")
        bridge.start()
        until(lambda: receiver.names() == {"A"})
        beats.more()
        assert bridge.stop() == 0
        verified(bridge)


def test_a_heartbeat_that_does_not_arrive_is_named_and_told_to_nobody(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats) as bridge:
        beats.more()
        beats.closed = True
        until(lambda: bridge.names("heartbeat_fails"))
        assert "503" in troubles(bridge)["heartbeat_fails"]
        beats.closed = False
        beats.more()
        until(lambda: not bridge.names("heartbeat_fails"))
        assert receiver.summaries == []
        assert metric(bridge, 'alertbridge_heartbeats_total{outcome="failed"}') >= 1
        assert set(beats.heard) == {"/beat"}
        assert bridge.stop() == 0
        assert [record for record in audit(bridge) if record["channel"] == "word"] == []


def test_a_bridge_that_stops_in_order_beats_no_more_and_tells_of_no_trouble(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats) as bridge:
        beats.more()
        assert bridge.stop() == 0
        assert beats.silent()
        assert receiver.summaries == []
        assert '"event": "trouble"' not in bridge.log.read_text()
