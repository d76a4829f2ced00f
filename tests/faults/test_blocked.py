"""Plugins that hold up the event loop or the writer: noticed, and ended when nothing else helps; nothing is lost by it."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.faults.planting import MAIN, Beats, PlantedBridge, listening, planted, together
from tests.faults.receiver import Receiver
from tests.faults.serving import ask, ended, metric, post, troubles, until, verified

PLUGIN = """
import logging, re, time
from pathlib import Path
from bridge.hooks.api import HookOptions

class Blocks:
    name = "blocks"
    Options = HookOptions
    does_io = DOES_IO
    def __init__(self, options, context): ...
    async def __call__(self, notification, forward):
        if any("block" in alert.labels for alert in notification.alerts):
            if Path("faults/sleeps").exists():
                time.sleep(float(Path("faults/sleeps").read_text()))
            if Path("faults/logs").exists():
                for line in range(100):
                    logging.getLogger("plugin").warning("%s", "x" * 4000)
            if Path("faults/holds-the-interpreter").exists():
                re.match("(a+)+$", "a" * 64 + "b")
        return await forward(notification)
"""
HOOKED = "plugins: [plugin.py]\nhooks: [blocks]\n" + MAIN


@pytest.fixture
def beats() -> Iterator[Beats]:
    with listening() as beats:
        yield beats


def with_plugin(folder: Path, *, does_io: bool) -> str:
    (folder / "plugin.py").write_text(PLUGIN.replace("DOES_IO", str(does_io)))
    return HOOKED


def recovers(bridge: PlantedBridge, receiver: Receiver, *names: str) -> None:
    """Started anew without the fault, it delivers what it had accepted."""
    for fault in (bridge.folder / "faults").iterdir():
        fault.unlink()
    bridge.start()
    until(lambda: receiver.names() >= set(names), 40)
    assert metric(bridge, "alertbridge_journal_pending") == 0
    assert bridge.stop() == 0
    verified(bridge)


def test_a_plugin_that_blocks_the_loop_for_a_moment_is_logged_with_where_it_stood(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats, with_plugin(tmp_path, does_io=True)) as bridge:
        bridge.plant("sleeps", "0.6")
        assert post(bridge, "A", block="yes").status == 200
        until(lambda: "A" in receiver.names())
        until(lambda: "loop_blocked" in bridge.log.read_text())
        (line,) = re.findall(r".*plugin\.py.*time\.sleep.*", bridge.log.read_text())
        assert "loop_blocked" in line
        late = ask(bridge, "GET", "/metrics").body
        beyond = float(re.findall(r'alertbridge_loop_lag_seconds_bucket\{le="0.25"\} (\S+)', late)[0])
        assert metric(bridge, "alertbridge_loop_lag_seconds_count") > beyond
        assert bridge.stop() == 0


def test_a_loop_that_is_blocked_again_and_again_is_a_trouble(tmp_path: Path, receiver: Receiver, beats: Beats) -> None:
    with planted(tmp_path, receiver, beats, with_plugin(tmp_path, does_io=True)) as bridge:
        bridge.plant("sleeps", "0.5")
        for number in range(4):
            assert post(bridge, f"A{number}", block="yes").status == 200
        until(lambda: bridge.names("loop_lags"), 30)
        until(lambda: any("the bridge is slow" in summary for summary in receiver.summaries))
        assert bridge.stop() == 0


def blocks_the_loop_for_good(folder: Path, receiver: Receiver, beats: Beats) -> None:
    with planted(folder, receiver, beats, with_plugin(folder, does_io=True), limit=2.0) as bridge:
        bridge.plant("sleeps", "600")
        assert post(bridge, "A", block="yes").status == 200
        assert ended(bridge) == 70
        assert re.search(r"loop_blocked_for_good.*", bridge.log.read_text())
        assert re.search(r"plugin\.py.*time\.sleep", bridge.log.read_text())
        recovers(bridge, receiver, "A")


def holds_the_interpreter(folder: Path, receiver: Receiver, beats: Beats) -> None:
    """A regular expression that takes for ever: no thread of the bridge runs meanwhile, the watchdog's neither."""
    with planted(folder, receiver, beats, with_plugin(folder, does_io=True), limit=1.0) as bridge:
        bridge.plant("holds-the-interpreter")
        assert post(bridge, "A", block="yes").status == 200
        assert ended(bridge, 60) == -signal.SIGPROF
        assert re.search(r"plugin\.py.* in __call__", bridge.log.read_text())
        recovers(bridge, receiver, "A")


def blocks_the_writer_for_good(folder: Path, receiver: Receiver, beats: Beats) -> None:
    """Hooks without I/O run where alerts are committed. The loop turns, says so, and gives up when it stays so."""
    main = with_plugin(folder, does_io=False).replace("server: {", "server: {accept_timeout: 2s, ")
    with planted(folder, receiver, beats, main, hung=4.0) as bridge:
        assert post(bridge, "before").status == 200
        bridge.plant("sleeps", "600")
        assert post(bridge, "A", block="yes").status == 503
        until(lambda: "does not come to an end" in troubles(bridge).get("database_fails", ""), 30)
        assert ended(bridge, 40) == 1
        assert any("the database fails" in summary for summary in receiver.summaries)
        assert re.search(r"nothing_can_be_kept.*", bridge.log.read_text())
        assert re.search(r"plugin\.py.*time\.sleep", bridge.log.read_text())
        recovers(bridge, receiver, "before")


def test_a_process_that_was_stopped_and_continued_is_neither_ended_nor_troubled(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    with planted(tmp_path, receiver, beats, limit=1.5) as bridge:
        sent = 'alertbridge_heartbeats_total{outcome="sent"}'
        before = metric(bridge, sent)
        until(lambda: metric(bridge, sent) > before)  # now none is under way, whose time would run out meanwhile
        bridge.signal(signal.SIGSTOP)
        time.sleep(6)
        bridge.signal(signal.SIGCONT)
        beats.more()
        assert post(bridge, "A").status == 200
        until(lambda: "A" in receiver.names())
        assert '"event": "trouble"' not in bridge.log.read_text()
        assert set(receiver.summaries) == {""}
        assert bridge.stop() == 0


def blocks_the_loop_with_a_log_that_nobody_reads(folder: Path, receiver: Receiver, beats: Beats) -> None:
    """The watchdog's last words cannot be said, and it does not wait for them."""
    with planted(folder, receiver, beats, with_plugin(folder, does_io=True), limit=1.5) as bridge:
        assert bridge.stop() == 0
        reading, writing = os.pipe()
        try:
            bridge.start(log=writing)
            bridge.plant("logs")
            bridge.plant("sleeps", "600")
            assert post(bridge, "A", block="yes").status == 200
            assert ended(bridge, 40) == 70
        finally:
            os.close(reading)
            os.close(writing)
        recovers(bridge, receiver, "A")


def test_a_log_and_a_console_that_nobody_reads_hold_up_nothing(
    tmp_path: Path, receiver: Receiver, beats: Beats
) -> None:
    """Everything else goes on, down to the stop; `/-/ready` says what is wrong, and lines that are lost are counted."""
    printed = "  printed: {type: console, timeout: 1s}\nreceivers: {both: [sink, printed]}\nfallback: word"
    main = (
        with_plugin(tmp_path, does_io=True)
        .replace("fallback: word", printed)
        .replace("receiver: sink", "receiver: both")
    )
    with planted(tmp_path, receiver, beats, main) as bridge:
        assert bridge.stop() == 0
        reading, writing = os.pipe()
        try:
            bridge.start(log=writing)
            bridge.plant("logs")
            for number in range(24):
                assert post(bridge, f"A{number}", block="yes").status == 200
            until(lambda: receiver.names() >= {f"A{number}" for number in range(24)}, 40)
            until(lambda: bridge.names("log_blocked"), 30)
            until(lambda: metric(bridge, "alertbridge_log_lines_dropped_total") > 0)
            assert ask(bridge, "POST", "/-/reload").status == 200
            beats.more()
            assert bridge.stop() == 0
        finally:
            os.close(reading)
            os.close(writing)
        verified(bridge)


def test_what_blocks_for_good_ends_the_process_and_nothing_is_lost(tmp_path: Path) -> None:
    stories = (
        blocks_the_loop_for_good,
        holds_the_interpreter,
        blocks_the_writer_for_good,
        blocks_the_loop_with_a_log_that_nobody_reads,
    )
    for story in stories:
        (tmp_path / story.__name__).mkdir()
    together(*(partial(story, tmp_path / story.__name__) for story in stories))
